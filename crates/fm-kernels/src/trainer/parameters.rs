//! Parameters, their moving average and what the optimizer keeps, in and out.

use super::{Trainer, length};
use crate::layout::{collect, spread};
use crate::{Error, Moments};

impl Trainer {
    /// The parameters.
    pub fn params(&mut self) -> Vec<f32> {
        collect(&self.map, self.state.params.all())
    }

    /// Their moving average: as [`Recipe::average`] has it, or the parameters when the phase began.
    pub fn average(&mut self) -> Vec<f32> {
        collect(&self.map, self.state.average.all())
    }

    /// Replaces the moving average: resumes a phase.
    ///
    /// # Errors
    /// [`Error::Length`] when there are too few or too many.
    pub fn set_average(&mut self, average: &[f32]) -> Result<(), Error> {
        length("averages", average.len(), self.map.len())?;
        spread(&self.map, average, self.state.average.all());
        Ok(())
    }

    /// Replaces the parameters; moments and step stay.
    ///
    /// # Errors
    /// [`Error::Length`] when there are too few or too many.
    pub fn set_params(&mut self, params: &[f32]) -> Result<(), Error> {
        length("parameters", params.len(), self.map.len())?;
        spread(&self.map, params, self.state.params.all());
        self.state.derive();
        Ok(())
    }

    /// What the optimizer keeps, and its step count.
    pub fn moments(&mut self) -> Moments {
        Moments {
            m: collect(&self.map, self.state.m.all()),
            v: collect(&self.map, self.state.v.all()),
            step: self.step,
        }
    }

    /// Replaces what the optimizer keeps, and its step count: resumes a phase.
    ///
    /// # Errors
    /// [`Error::Length`] when there are too few or too many.
    pub fn set_moments(&mut self, moments: &Moments) -> Result<(), Error> {
        length("first moments", moments.m.len(), self.map.len())?;
        length("second moments", moments.v.len(), self.map.len())?;
        spread(&self.map, &moments.m, self.state.m.all());
        spread(&self.map, &moments.v, self.state.v.all());
        (self.step, self.moved) = (moments.step, true);
        Ok(())
    }
}
