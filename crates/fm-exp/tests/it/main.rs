//! The real binary, on small made data sets and, where it is installed, on Fashion-MNIST.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod atlas;
mod autograd;
mod card;
mod compare;
mod composition;
mod crash;
mod cuda;
mod cuda_beside;
mod cuda_runs;
mod data_failures;
mod data_show;
mod engines;
mod faults;
mod golden;
mod halve;
mod hardened;
mod import;
mod limits;
mod made;
mod observe;
mod outputs;
mod playable;
mod power;
mod prolong;
mod recipes;
mod report;
mod resume;
mod spreadsheets;
mod sweep;
mod sweep_hardened;
mod sweep_in_one;
mod terminal;
mod until;
mod usage;
mod using;
mod validation;
mod verify;
mod waits;
