//! `fm-exp`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    fm_exp::cli::main()
}
