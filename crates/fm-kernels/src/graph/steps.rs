//! What a trainer's calls come to: forward, loss, backward, update; inference; and the checks before.

use std::time::Instant;

use fm_net::{Draws, Scope};

use super::GraphTrainer;
use super::flat::length;
use super::forward::Place;
use super::plan::{Stage, Term};
use super::rounds::{backward, forward};
use super::state::Mode;
use crate::buffer::Parts;
use crate::muon::Flat;
use crate::worker::{Towards, Use, round};
use crate::{Error, Targets};

/// Where a batch's inputs come from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Images(&'a [u8]),
    Codes(&'a [f32]),
}

impl GraphTrainer {
    pub(super) fn train(&mut self, source: Source<'_>, targets: Targets<'_>, rows: &[u32], draws: &Draws) {
        self.step += 1;
        self.derivatives(source, targets, rows, draws, true);
        let start = Instant::now();
        if let Use::Update { encoder, head } = self.recipe.rules(self.step) {
            let (state, base, shares) = (&self.state, self.base, &self.shares);
            if let Some(muon) = &self.muon {
                let flat = Flat { m: &state.m, grad: &state.grad, gemm: base.gemm };
                muon.run(&mut self.pool, &flat);
            }
            // SAFETY: each share is one task's.
            round(&mut self.pool, shares.len(), &|_, task| unsafe {
                state.step(&shares[task], base, encoder, head);
            });
        }
        if let Some(fresh) = self.recipe.fresh(self.step) {
            self.state.average_buffers(fresh);
        }
        self.derive();
        let scope = self.state.scope;
        if scope != Scope::Head || self.state.plan.norms.iter().any(|norm| scope.contains(norm.part)) {
            self.folded = false;
        }
        self.seconds.1 += start.elapsed().as_secs_f64();
        // In the batch's order, whoever computed them.
        let count = rows.len();
        let sum = self.state.losses.all()[..count].iter().map(|&loss| f64::from(loss)).sum::<f64>();
        self.totals.loss += sum;
        self.totals.correct += self.state.hits.all()[..count].iter().map(|&hit| u64::from(hit)).sum::<u64>();
        self.totals.images += count as u64;
        self.totals.non_finite |= !sum.is_finite();
    }

    /// Forward, loss, backward: every gradient is in `State::grad` then.
    pub(super) fn derivatives(
        &mut self,
        source: Source<'_>,
        targets: Targets<'_>,
        rows: &[u32],
        draws: &Draws,
        moves: bool,
    ) {
        let towards = Towards { targets, smoothing: self.recipe.smoothing as f32 };
        let mut start = Instant::now();
        let mut lap = || {
            let now = Instant::now();
            (now - std::mem::replace(&mut start, now)).as_secs_f64()
        };
        if self.state.scope != Scope::All {
            self.fold();
        }
        let lanes = self.state.plan.lanes;
        let slots = rows.len().div_ceil(lanes);
        for (image, mask) in self.state.mask.all().iter_mut().enumerate() {
            *mask = f32::from(u8::from(image < rows.len()));
        }
        let first = match source {
            Source::Images(_) => 0,
            Source::Codes(_) => self.state.plan.code.1,
        };
        let state = &self.state;
        // SAFETY: each slot is one task's.
        self.pool.near(slots, &|_, slot| unsafe {
            let rows = &rows[slot * lanes..rows.len().min((slot + 1) * lanes)];
            match source {
                Source::Images(images) => state.load_images(slot, images, rows),
                Source::Codes(codes) => state.load_codes(slot, codes, rows),
            }
        });
        self.seconds.1 += lap();
        for index in first..state.plan.stages.len() {
            forward(&mut self.pool, state, index, rows.len(), draws, moves);
            self.seconds.0[index][0] += lap();
        }
        let scale = 1.0 / rows.len() as f32;
        // SAFETY: each slot is one task's; the output is done.
        self.pool.near(slots, &|_, slot| unsafe {
            let rows = &rows[slot * lanes..rows.len().min((slot + 1) * lanes)];
            match state.plan.classes {
                Some(_) => state.classify(slot, rows, towards, scale),
                None => state.reconstruct(slot, rows.len(), scale),
            }
        });
        self.seconds.1 += lap();
        for (back, stage) in &state.program.list {
            backward(&mut self.pool, state, back, rows.len());
            self.seconds.0[*stage][1] += lap();
        }
        let shares = &self.shares;
        // SAFETY: each share is one task's; the partial sums are done.
        round(&mut self.pool, shares.len(), &|_, task| unsafe { state.reduce(&shares[task], slots) });
        if state.plan.layers.iter().any(|layer| layer.standardised) {
            // SAFETY: each layer is one task's.
            round(&mut self.pool, state.plan.layers.len(), &|_, task| unsafe { state.unstandardise(task) });
        }
        self.seconds.1 += lap();
    }

    /// Packs all weights after a change.
    pub(super) fn derive(&mut self) {
        let state = &self.state;
        if state.plan.layers.iter().any(|layer| layer.standardised) {
            // SAFETY: each layer is one task's.
            round(&mut self.pool, state.plan.layers.len(), &|_, task| unsafe { state.standardise(task) });
        }
        let packs = &state.plan.packs;
        // SAFETY: each pass is one task's.
        round(&mut self.pool, packs.len(), &|_, task| unsafe { state.pack(packs[task].0, packs[task].1) });
    }

    /// Folds norms into layers for inference, unless they are.
    pub(super) fn fold(&mut self) {
        if std::mem::replace(&mut self.folded, true) {
            return;
        }
        let state = &self.state;
        // SAFETY: no worker is running.
        unsafe { state.norm_running() };
        // SAFETY: each layer is one task's.
        round(&mut self.pool, state.plan.layers.len(), &|_, task| unsafe { state.fold(task) });
    }

    /// Runs some stages in inference mode, each slot by itself, and reads a value.
    pub(super) fn infer(
        &mut self,
        source: Source<'_>,
        count: usize,
        rows: &[u32],
        (start, end): (usize, usize),
        value: usize,
        out: &mut [f32],
    ) -> Result<(), Error> {
        if let Some(&row) = rows.iter().find(|&&row| row as usize >= count) {
            return Err(Error::Row { row, rows: count });
        }
        let map = self.state.plan.map(value);
        let size = map.channels * map.pixels();
        length("outputs", out.len(), rows.len() * size)?;
        self.fold();
        let (state, lanes) = (&self.state, self.state.plan.lanes);
        let out = Parts::new(out);
        round(&mut self.pool, rows.len().div_ceil(lanes), &|worker, task| {
            let range = task * lanes..rows.len().min((task + 1) * lanes);
            let rows = &rows[range.clone()];
            let at = Place { task: 0, worker, images: rows.len() };
            // SAFETY: each worker has a slot of its own; tasks' outputs are disjoint.
            unsafe {
                match source {
                    Source::Images(images) => state.load_images(worker, images, rows),
                    Source::Codes(codes) => state.load_codes(worker, codes, rows),
                }
                for index in start..end {
                    state.forward(index, worker, 0..state.units(index), Mode::Infer, at);
                }
                state.unload(value, worker, out.get_mut(range.start * size..range.end * size));
            }
        });
        Ok(())
    }

    pub(super) fn check_images(&self, images: &[u8]) -> Result<usize, Error> {
        let size = self.state.plan.image.iter().product::<usize>();
        length("images (bytes)", images.len(), images.len() / size * size)?;
        Ok(images.len() / size)
    }

    pub(super) fn check_codes(&self, codes: &[f32]) -> Result<usize, Error> {
        let len = self.state.plan.code_len();
        length("codes", codes.len(), codes.len() / len * len)?;
        Ok(codes.len() / len)
    }

    /// Rows within the set, the batch's size, labels, and a norm with but one value.
    pub(super) fn check_batch(&self, rows: &[u32], count: usize, targets: Targets<'_>) -> Result<(), Error> {
        if let Some(&row) = rows.iter().find(|&&row| row as usize >= count) {
            return Err(Error::Row { row, rows: count });
        }
        if rows.is_empty() || rows.len() > self.max_batch {
            return Err(Error::Batch { got: rows.len(), max: self.max_batch });
        }
        let plan = &self.state.plan;
        let one = |term: &Term| term.norm.is_some() && plan.map(term.value).pixels() == 1;
        let alone = |stage: &&Stage| stage.kind.terms().iter().any(one);
        if rows.len() == 1 {
            let trains = |stage: &&Stage| self.state.scope.contains(stage.part);
            if let Some(stage) = plan.stages.iter().filter(trains).find(alone) {
                return Err(Error::OneValue(stage.name.clone()));
            }
        }
        let Some(classes) = plan.classes else { return Ok(()) };
        targets.check(rows, count, classes)
    }
}
