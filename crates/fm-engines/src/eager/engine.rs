//! The engine's contract, with libtorch's errors as the run's.

use fm_net::{NamedTensor, Scope};
use fm_run::error::{Error, Kind as ErrorKind, Result};
use fm_train::engine::{Engine, Input, State, Step, Totals, Want};
use fm_train::plan::Phase;

use super::Eager;
use crate::parts::same_encoder;

impl Engine for Eager<'_> {
    fn name(&self) -> &'static str {
        "eager"
    }

    fn begin_phase(&mut self, index: usize, phase: &Phase) -> Result<()> {
        Ok(self.try_begin_phase(index, phase)?)
    }

    fn begin_epoch(&mut self, order: &[u32], so_far: Totals) -> Result<()> {
        let codes = self.scope == Scope::Head && self.codes.is_none();
        let began = self.try_begin_epoch(order, so_far).map_err(Error::from);
        if !codes {
            return began;
        }
        began.map_err(|error| {
            let doing = format!("computing a frozen encoder's codes, {} images at a time", self.pass);
            let disk = "a smaller --code-memory keeps the codes on the disk";
            error.out_of_memory_in(&doing, &[disk, self.room()])
        })
    }

    fn step(&mut self, step: &Step<'_>) -> Result<()> {
        Ok(self.try_step(step)?)
    }

    fn drain(&mut self) -> Result<Totals> {
        Ok(self.try_drain()?)
    }

    fn infer(&mut self, input: Input<'_>, want: Want) -> Result<Vec<f32>> {
        self.try_infer(input, want).map_err(|error| {
            let doing = format!("scoring, {} images at a time whatever --batch-size is", self.pass);
            Error::from(error).out_of_memory_in(&doing, &[self.room()])
        })
    }

    fn weights(&mut self) -> Result<Vec<NamedTensor>> {
        self.net.tensors().map_err(|e| crate::torch::failed(&e))
    }

    fn average(&mut self) -> Result<Vec<NamedTensor>> {
        let none = || Error::new(ErrorKind::Other, "the phase keeps no moving average");
        Ok(self.average.as_ref().ok_or_else(none)?.tensors()?)
    }

    fn load(&mut self, weights: &[NamedTensor]) -> Result<()> {
        fm_net::check(self.net.network(), weights)
            .map_err(|e| Error::new(ErrorKind::Mismatch, e.to_string()))?;
        // Codes are those of one encoder.
        if self.codes.is_some() && !same_encoder(&self.weights()?, weights) {
            self.codes = None;
        }
        self.net.load(weights).map_err(|e| crate::torch::failed(&e))
    }

    fn state(&mut self) -> Result<State> {
        Ok(self.try_state()?)
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        Ok(self.try_restore(state)?)
    }
}
