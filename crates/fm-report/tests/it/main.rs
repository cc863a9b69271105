//! The crate from outside.

mod made;
mod pictures;
