//! The crate from outside: whole data sets in directories, downloads from a local server, the real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod fetching;
mod loading;
mod made;
mod real;
