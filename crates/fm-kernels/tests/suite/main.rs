//! One binary for all integration tests, so that they share the reference implementation.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which may panic")]
#![expect(clippy::many_single_char_names, reason = "a network's sizes have customary letters")]
#![allow(clippy::missing_panics_doc, reason = "tests panic")]

mod common;
mod determinism;
mod reference;
