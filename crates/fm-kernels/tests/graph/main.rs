//! The graph trainer against a naive `f64` network, for each operator, instruction set and scope.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which may panic")]

mod case;
mod gradients;
mod reference;
mod training;
