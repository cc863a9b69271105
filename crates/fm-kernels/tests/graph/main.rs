//! The graph trainer against a naive `f64` network, for each operator, instruction set and scope.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which may panic")]
#![expect(clippy::many_single_char_names, reason = "a network's sizes have customary letters")]
#![allow(clippy::missing_panics_doc, reason = "tests panic")]
#![expect(clippy::too_many_lines, reason = "one straight walk through the operators")]

mod case;
mod gradients;
mod reference;
mod training;
