//! The crate from outside: downloads from a local server, and batches.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod archive;
mod fetching;
#[path = "../../../fm-images/tests/it/files.rs"]
mod files;
mod server;
