//! `fm-exp`: see the library.

use std::process::ExitCode;

use fm_exp::error::{Error, Kind};

fn main() -> ExitCode {
    let error = match run() {
        Ok(code) => return code,
        Err(error) => error,
    };
    let error = error.downcast().unwrap_or_else(|other| Error::new(Kind::Other, format!("{other:#}")));
    fm_exp::cli::report(&error)
}

fn run() -> anyhow::Result<ExitCode> {
    Ok(fm_exp::cli::main()?)
}
