//! The training core.
//!
//! ```text
//! RunSpec, Network, Dataset → Plan → run ⇄ Engine
//!                                     └→ Event → Sinks
//! ```
//!
//! A [`Plan`] is data: phases, and the rows that they train and are judged on. [`run`](train::run) is the only
//! control flow of training; it tells an [`Engine`] what to compute and [`Sinks`] what has happened. Engines
//! and sinks are traits: those of this project are in other crates, and a program may bring its own.
//!
//! The crate knows no tensor library, no command line and no files but through what it is given.

pub mod checkpoint;
pub mod engine;
pub mod event;
pub mod metrics;
pub mod per_phase;
pub mod plan;
pub mod recipe;
pub mod scripted;
pub mod sink;
pub mod train;

pub use engine::{Engine, EngineDef, Machine};
pub use event::Event;
pub use plan::{Objective, Phase, Plan};
pub use sink::{Sink, Sinks};
