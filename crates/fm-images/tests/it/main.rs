//! The crate from outside: whole data sets in directories, a format of another crate, the real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod cifar;
mod classes;
mod emnist;
mod files;
mod golden;
mod loading;
mod made;
mod outside;
mod pure;
mod real;
