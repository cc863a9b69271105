//! The experiment runner: the program around the [training core](fm_train).
//!
//! A command line becomes a checked [configuration](config), that and a data set a [plan](fm_train::Plan);
//! [`fm_train::train::run`] carries the plan out on an [engine](fm_engines) and emits
//! [events](fm_train::Event); [sinks](sink) turn events into files and progress. `main.rs` only calls
//! [`cli::main`].
//!
//! ```
//! use fm_exp::args::ProcessFlags;
//! use fm_exp::config::RunConfig;
//!
//! let keys = "arch = '8C3-MP2--16'\nepochs = 2\nseed = 3".parse()?;
//! let config = RunConfig::of(&keys, ProcessFlags::default())?;
//! assert!(config.run_dir().ends_with("8C3-MP2--16-2ep-seed3"), "{}", config.run_dir().display());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod args;
mod atlas;
mod card;
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
mod page;
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
