//! The launches of steps, most of them in graphs, and what kernels are given.

use fm_kernels::{Method, Recipe, Scope};

use super::Trainer;
use crate::args::Args;
use crate::error::Error;
use crate::plan::Launch;

/// What the launches of a step depend on beside the network: seats that agree in it share them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Kind {
    scope: Scope,
    method: Method,
    smoothing: f64,
    averages: bool,
}

impl Kind {
    pub(super) fn of(recipe: &Recipe) -> Self {
        let Recipe { scope, method, smoothing, average, .. } = *recipe;
        Self { scope, method, smoothing, averages: average.is_some() }
    }
}

impl Trainer {
    /// Queues so many steps, most of them as graphs.
    pub(super) fn run(&mut self, kind: Kind, steps: usize) -> Result<(), Error> {
        let (args, launches) = (self.args_of(kind), self.plan.step(kind.scope));
        let each = self.tuning.graph.max(1);
        let (graphs, rest) = (steps / each, steps % each);
        if graphs > 0 && self.graph.as_ref().is_none_or(|(of, _)| *of != kind) {
            let work = || (0..each).try_for_each(|_| self.step(&args, &launches));
            self.graph = Some((kind, self.gpu.stream.capture(work)?));
        }
        if let Some((_, graph)) = self.graph.as_ref().filter(|_| graphs > 0) {
            for _ in 0..graphs {
                // SAFETY: what it was recorded with lives as long as `self`, which drops it when memory moves.
                unsafe { self.gpu.stream.launch_graph(graph)? };
            }
        }
        (0..rest).try_for_each(|_| self.step(&args, &launches))
    }

    pub(crate) fn step(&self, args: &Args, launches: &[Launch]) -> Result<(), Error> {
        for launch in launches {
            // SAFETY: the plan made the memory for these launches.
            unsafe { self.gpu.launch(launch, args, self.seats.len())? };
        }
        Ok(())
    }

    /// The launches of a step of the first seat.
    pub(crate) fn launches(&self) -> Vec<Launch> {
        self.plan.step(self.seats[0].recipe.scope)
    }

    /// All that a kernel is given when the first seat trains.
    pub(crate) fn args(&self) -> Args {
        self.args_of(Kind::of(&self.seats[0].recipe))
    }

    fn args_of(&self, kind: Kind) -> Args {
        let mut args = self.plan.args();
        self.weights.place(&mut args, 0, kind.averages);
        self.slots.place(&mut args);
        if let Some(steps) = &self.steps {
            (args.sums, args.steps) = (steps.sums.ptr(), steps.room as i32);
        }
        args.encoder_moves = i32::from(kind.scope != Scope::Head);
        args.head_moves = i32::from(kind.scope != Scope::Encoder);
        match kind.method {
            Method::Adam(betas) | Method::AdamW(betas) => {
                (args.fresh1, args.fresh2) = ((1.0 - betas.beta1) as f32, (1.0 - betas.beta2) as f32);
            }
            Method::Sgd { momentum } => (args.method, args.momentum) = (1, momentum as f32),
            // Refused when a phase begins.
            Method::Muon { .. } => {}
        }
        args.smoothing = kind.smoothing as f32;
        args
    }
}
