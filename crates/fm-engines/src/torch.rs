//! libtorch's errors as the run's.

use fm_run::error::Error;
use tch::TchError;

/// An error on the way through libtorch: its own, or one of the run's.
#[derive(Debug)]
pub struct TorchError(pub(crate) Error);

impl From<TchError> for TorchError {
    fn from(error: TchError) -> Self {
        Self(failed(&error))
    }
}

impl From<Error> for TorchError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<TorchError> for Error {
    fn from(error: TorchError) -> Self {
        error.0
    }
}

/// A libtorch error as one of the run's: out of memory, the device, or a bug.
#[must_use]
pub fn failed(error: &TchError) -> Error {
    Error::device(&error.to_string())
}
