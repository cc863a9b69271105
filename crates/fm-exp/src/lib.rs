//! The experiment runner.
//!
//! A command line becomes a checked [configuration](config), that and a data set a [plan](plan::Plan);
//! [`train::run`] carries the plan out on an [engine](engine) and tells what happens as
//! [events](event::Event); [sinks](sink) turn events into files and progress. `main.rs` only calls
//! [`cli::main`].

pub mod args;
pub mod checkpoint;
pub mod cli;
mod commands;
pub mod composition;
pub mod config;
pub mod device;
pub mod engine;
pub mod error;
pub mod event;
mod fault;
pub mod logging;
pub mod metrics;
mod model_file;
mod npy;
mod pca;
mod picture;
pub mod plan;
mod provenance;
mod scored;
mod signals;
pub mod sink;
pub mod store;
mod sweep;
pub mod train;
mod trained;
