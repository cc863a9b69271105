//! What every engine owes, on made images.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod conformance;
mod gradients;
mod made;
mod optimizer;
mod recipes;
