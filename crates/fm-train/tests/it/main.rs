//! What the training core rests on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod calibration;
mod dependencies;
