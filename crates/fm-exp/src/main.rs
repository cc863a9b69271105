//! `fm-exp`: see the library.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let error = match run() {
        Ok(code) => return code,
        Err(error) => error,
    };
    // A closed stderr is no reason to panic.
    let _ = writeln!(std::io::stderr(), "error: {}", fm_run::terminal::visible(&format!("{error:#}")));
    ExitCode::from(error.downcast_ref::<fm_exp::error::Error>().map_or(1, fm_exp::error::Error::exit_code))
}

fn run() -> anyhow::Result<ExitCode> {
    Ok(fm_exp::cli::main()?)
}
