//! The experiment runner: the program around the [training core](fm_train).
//!
//! A command line becomes a checked [configuration](config), that and a data set a [plan](fm_train::Plan);
//! [`fm_train::train::run`] carries the plan out on an [engine](fm_engines) and emits
//! [events](fm_train::Event); [sinks](sink) turn events into files and progress. `main.rs` only calls
//! [`cli::main`].

pub mod args;
mod checkpoint_files;
pub mod cli;
mod commands;
mod completion;
pub mod config;
mod epoch_rows;
pub mod families;
mod import;
mod inputs;
pub mod logging;
mod naming;
mod npy;
mod pca;
mod picture;
mod playable;
mod prolong;
mod provenance;
mod recipes;
mod record;
mod scored;
mod signals;
pub mod sink;
mod sweep;
mod verify;

pub use fm_run::error;
