//! The commands: each takes its checked flags and returns what goes to stdout.

pub(crate) mod bench;
mod calibrate;
pub(crate) mod compare;
pub(crate) mod compare_text;
pub(crate) mod data;
pub(crate) mod doctor;
pub(crate) mod encode;
pub(crate) mod eval;
pub(crate) mod export;
pub(crate) mod import;
mod inference;
pub(crate) mod keys;
pub(crate) mod observe;
pub(crate) mod pack;
pub(crate) mod power;
pub(crate) mod predict;
pub(crate) mod report;
pub(crate) mod summary;
pub(crate) mod train;
pub(crate) mod weights;
