//! Rounds of a step: the pieces of a stage or of an operation, dealt to the threads, and what is done between them.

use fm_net::Draws;

use super::forward::Place;
use super::plan::Kind;
use super::program::Back;
use super::state::{Mode, PIECES, State, piece, pieces};
use super::tasks::Task;
use crate::pool::Pool;
use crate::worker::round;

/// One stage over a training batch.
pub(super) fn forward(
    pool: &mut Pool,
    state: &State,
    index: usize,
    images: usize,
    draws: &Draws,
    moves: bool,
) {
    let lanes = state.plan.lanes;
    let slots = images.div_ceil(lanes);
    let stage = &state.plan.stages[index];
    let mode = state.mode(stage.part);
    let place = |task: usize, worker: usize, slot: usize| Place {
        task,
        worker,
        images: (images - slot * lanes).min(lanes),
    };
    if matches!(stage.kind, Kind::Dropout { .. }) && mode == Mode::Train {
        // SAFETY: each slot is one task's.
        pool.near(slots, &|worker, slot| unsafe {
            state.draw(index, slot, draws, place(slot, worker, slot));
        });
    }
    let norm = match &stage.kind {
        Kind::Moments(norm) => Some(*norm),
        Kind::Layer(layer) => state.plan.layers[*layer].norm,
        _ => None,
    };
    if matches!(stage.kind, Kind::Moments(_)) && mode != Mode::Train {
        return;
    }
    let units = state.units(index);
    if let Kind::Layer(layer) = stage.kind
        && state.plan.layers[layer].flat
    {
        let pieces = units.min(PIECES);
        // SAFETY: each piece's output channels are one task's.
        round(pool, pieces, &|worker, task| unsafe {
            state.layer(layer, 0, slots, piece(task, pieces, units), mode, place(task, worker, 0));
        });
        return;
    }
    let pieces = pieces(units, slots);
    let tasks = slots * pieces;
    // SAFETY: each piece of a slot is one task's; the stages before are done.
    pool.near(tasks, &|worker, task| unsafe {
        let slot = task / pieces;
        let part = piece(task % pieces, pieces, units);
        state.forward(index, slot, part, mode, place(task, worker, slot));
    });
    if let (Some(norm), Mode::Train) = (norm, mode) {
        // SAFETY: no worker is running.
        unsafe { state.norm_forward(norm, tasks, images, moves) };
    }
}

/// One operation of the backward pass over a batch.
pub(super) fn backward(pool: &mut Pool, state: &State, back: &Back, images: usize) {
    let lanes = state.plan.lanes;
    let slots = images.div_ceil(lanes);
    if let Back::Norm { norm, frozen: true, .. } = back {
        // SAFETY: no worker is running.
        unsafe { state.norm_frozen(*norm) };
    }
    let tasks = state.tasks(back, slots);
    // SAFETY: each task is taken once; the operations before are done.
    pool.near(tasks, &|worker, index| unsafe {
        let task = state.task(back, index, slots);
        let slot = if let Task::Part { slot, .. } = &task { *slot } else { 0 };
        let at = Place { task: index, worker, images: (images - slot * lanes).min(lanes) };
        state.back(back, task, slots, at);
    });
    // SAFETY: no worker is running.
    unsafe {
        match back {
            Back::Act { stage, .. } => {
                let stage = &state.plan.stages[*stage];
                if state.mode(stage.part) == Mode::Train {
                    if let Kind::Col2im { bias, .. } = stage.kind {
                        state.bias_gradient(bias, tasks);
                    }
                    for (kind, term) in stage.kind.terms().iter().enumerate() {
                        if let Some(norm) = term.norm {
                            state.norm_backward(norm, 1 + kind, tasks, images);
                        }
                    }
                }
            }
            Back::Stage { stage, .. } if state.scope.contains(state.plan.stages[*stage].part) => {
                state.group_gradients(*stage, slots);
            }
            _ => {}
        }
    }
}
