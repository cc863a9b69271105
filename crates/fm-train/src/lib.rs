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
//!
//! A run of two epochs, on an engine that plays back losses in place of computing them:
//!
//! ```
//! use fm_images::{ImageShape, Labelled};
//! use fm_net::{Network, Scope};
//! use fm_run::error::Result;
//! use fm_train::scripted::{Line, Scripted};
//! use fm_train::train::{self, Run, Truth};
//! use fm_train::{Event, Phase, Plan, Sink, Sinks};
//!
//! struct Print;
//!
//! impl Sink for Print {
//!     fn name(&self) -> &'static str {
//!         "the terminal"
//!     }
//!
//!     fn on_event(&mut self, event: &Event<'_>) -> Result<()> {
//!         if let Event::EpochEnded(row) = event {
//!             println!("epoch {} of {}: loss {:.3}", row.epoch, row.epochs, row.train_loss);
//!         }
//!         Ok(())
//!     }
//! }
//!
//! // 28×28 black images in two classes: the script's answers go by the parity of the row.
//! let shape = ImageShape { channels: 1, height: 28, width: 28 };
//! let images = Labelled::new(vec![0; 10 * shape.len()], (0..10).map(|row| row % 2).collect(), shape);
//! let truth = Truth { train: &images, test: &images };
//!
//! let network = Network::new(&"32C3-MP2--64".parse()?, 2)?;
//! let phase = Phase::classify("train", &network, Scope::All, 2, 1e-3);
//! let plan = Plan::of(phase, 4, (0..10).collect(), (0..10).collect());
//! plan.check()?;
//!
//! let lines = [(0.9, 0.4), (0.5, 0.8)].map(|(train_loss, p_true)| Line { train_loss, p_true });
//! let mut engine = Scripted::new(lines.to_vec());
//! let mut sinks = Sinks::default();
//! sinks.push(Print);
//! let outcome = train::run(Run::new(&plan, truth), &mut engine, &mut sinks, None)?;
//! assert_eq!((outcome.epochs, outcome.test.accuracy), (2, 1.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `crates/fm-engines/examples/minimal.rs` does it with real data and a real engine, `examples/extend` with an
//! operator, an optimizer, a sink, a data format and an engine of its own.

mod ahead;
pub mod checkpoint;
pub mod engine;
pub mod event;
pub mod metrics;
pub mod per_phase;
pub mod plan;
pub mod recipe;
pub mod scripted;
pub mod sink;
mod state;
pub mod temperature;
pub mod train;

pub use ahead::{Ahead, Making};
pub use engine::{Engine, EngineDef, Machine};
pub use event::Event;
pub use plan::{Objective, Phase, Plan};
pub use sink::{Sink, Sinks};
