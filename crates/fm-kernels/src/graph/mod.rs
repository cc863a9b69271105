//! A trainer for every network of the notation.
//!
//! ```text
//! fm_net::Network ─ lower ─▸ Plan: stages, layers, norms ─ program ─▸ the backward pass of a scope
//!                                                    └──── state ──▸ memory
//! ```
//!
//! A *slot* is as many images as a vector has lanes, one image a lane. Every kernel then computes on whole
//! images' worth of vectors, whatever the number of channels: nothing is padded but the last slot of a
//! batch. A step is a sequence of rounds; within one, pieces of a stage (some rows of a slot, some
//! channels of a weight) are dealt to the threads. Every sum's order depends on the batch alone.
//!
//! A convolution's epilogue takes the sums that batch norm needs; norm, addition and activation are one
//! pass over the values. Inference folds norms into the layers before them.

mod backward;
mod borders;
mod cut;
mod dropout;
mod explain;
mod flat;
mod folded;
mod forward;
mod gradients;
mod kernels;
mod layer;
mod lines;
mod loss;
mod lower;
mod map;
mod norm;
mod pack;
mod pieces;
mod plan;
mod program;
mod rounds;
mod state;
mod statistics;
mod steps;
mod tasks;
mod tiled;
mod tiles;
mod trainer;
mod update;
mod windows;

pub use explain::StageReport;
pub use trainer::GraphTrainer;
