//! What can go wrong above the driver.

use thiserror::Error as Derive;

use crate::driver::DriverError;

/// What can go wrong.
#[derive(Debug, Clone, PartialEq, Eq, Derive)]
pub enum Error {
    /// The network is none.
    #[error("{0}")]
    Network(String),
    /// The kernels do not compute it.
    #[error("{0}")]
    Unsupported(String),
    /// Something has the wrong length.
    #[error("{what}: {got} values, expected {want}")]
    Length {
        /// Of what.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many there should be.
        want: usize,
    },
    /// A row or a class that is not there.
    #[error("{what} {got}: there are {count}")]
    Range {
        /// What it is.
        what: &'static str,
        /// Its number.
        got: u64,
        /// How many there are.
        count: u64,
    },
    /// Calls came in an order that makes no sense.
    #[error("{0}")]
    Order(&'static str),
    /// The driver or the device.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

/// Whether a length is as expected.
pub(crate) fn length(what: &'static str, got: usize, want: usize) -> Result<(), Error> {
    if got == want { Ok(()) } else { Err(Error::Length { what, got, want }) }
}

/// Whether all numbers are below `count`.
pub(crate) fn below<'a, N: Copy + Into<u64> + 'a>(
    what: &'static str,
    numbers: impl IntoIterator<Item = &'a N>,
    count: usize,
) -> Result<(), Error> {
    let count = count as u64;
    match numbers.into_iter().map(|&n| n.into()).find(|&n| n >= count) {
        Some(got) => Err(Error::Range { what, got, count }),
        None => Ok(()),
    }
}
