//! `fm-exp`: see the library.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Err(error) = run() else { return ExitCode::SUCCESS };
    // A closed stderr is no reason to panic.
    let _ = writeln!(std::io::stderr(), "error: {}", fm_run::terminal::visible(&format!("{error:#}")));
    ExitCode::from(error.downcast_ref::<fm_exp::error::Error>().map_or(1, fm_exp::error::Error::exit_code))
}

fn run() -> anyhow::Result<()> {
    Ok(fm_exp::cli::main()?)
}
