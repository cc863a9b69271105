//! `fm-exp`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before any thread starts: threads inherit it.
    fm_torch::flush_denormals();
    match fm_exp::cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr is no reason to panic.
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("error: {error}\n"));
            ExitCode::from(error.exit_code())
        }
    }
}
