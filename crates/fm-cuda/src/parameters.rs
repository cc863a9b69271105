//! A seat's parameters and what the optimizer keeps of them, from and to the device.

use fm_kernels::Moments;

use crate::args::Args;
use crate::driver::Buffer;
use crate::error::{Error, length};
use crate::memory::Weights;
use crate::plan::Plan;
use crate::trainer::Trainer;

impl Trainer {
    /// Parameters of a seat, in PyTorch's order.
    ///
    /// # Errors
    /// When the device fails.
    pub fn params(&self, seat: usize) -> Result<Vec<f32>, Error> {
        self.collect(seat, &self.weights.weights)
    }

    /// Replaces them; moments, average and the number of steps stay.
    ///
    /// # Errors
    /// When there are too few or too many, or the device fails.
    pub fn set_params(&mut self, seat: usize, params: &[f32]) -> Result<(), Error> {
        self.spread(seat, &self.weights.weights, "parameters", params)?;
        let convs = self.plan.shape.convs as usize;
        if convs > 1 {
            let mut args = self.plan.args();
            self.weights.place(&mut args, seat, false);
            let launch = Plan::any("derive", (32, convs - 1));
            // SAFETY: the weights are there.
            unsafe { self.gpu.launch(&launch, &args, 1)? };
        }
        Ok(())
    }

    /// What the optimizer keeps for a seat, and its number of steps.
    ///
    /// # Errors
    /// When the device fails.
    pub fn moments(&self, seat: usize) -> Result<Moments, Error> {
        let (m, v) = (self.collect(seat, &self.weights.m)?, self.collect(seat, &self.weights.v)?);
        Ok(Moments { m, v, step: self.seats[seat].taken })
    }

    /// Replaces it.
    ///
    /// # Errors
    /// As [`Trainer::set_params`].
    pub fn set_moments(&mut self, seat: usize, moments: &Moments) -> Result<(), Error> {
        self.spread(seat, &self.weights.m, "first moments", &moments.m)?;
        self.spread(seat, &self.weights.v, "second moments", &moments.v)?;
        self.seats[seat].taken = moments.step;
        Ok(())
    }

    /// The moving average of a seat's parameters.
    ///
    /// # Errors
    /// When the device fails.
    pub fn average(&self, seat: usize) -> Result<Vec<f32>, Error> {
        self.collect(seat, &self.weights.average)
    }

    /// Replaces it.
    ///
    /// # Errors
    /// As [`Trainer::set_params`].
    pub fn set_average(&mut self, seat: usize, average: &[f32]) -> Result<(), Error> {
        self.spread(seat, &self.weights.average, "averages", average)
    }

    fn collect(&self, seat: usize, from: &Buffer<f32>) -> Result<Vec<f32>, Error> {
        let row = self.plan.shape.parameters as usize;
        let mut values = vec![0.0; row];
        from.download(&self.gpu.stream, seat * row, &mut values)?;
        Ok(self.plan.map.iter().map(|&at| values[at as usize]).collect())
    }

    fn spread(&self, seat: usize, to: &Buffer<f32>, what: &'static str, values: &[f32]) -> Result<(), Error> {
        length(what, values.len(), self.plan.map.len())?;
        let mut row = vec![0.0; self.plan.shape.parameters as usize];
        for (&at, &value) in self.plan.map.iter().zip(values) {
            row[at as usize] = value;
        }
        to.upload(&self.gpu.stream, seat * row.len(), &row)?;
        Ok(())
    }
}

impl Weights {
    /// Writes the addresses, of the seeds from `seat` on.
    pub(crate) fn place(&self, args: &mut Args, seat: usize, averages: bool) {
        let at = (seat * args.shape.parameters as usize * size_of::<f32>()) as u64;
        args.weights = self.weights.ptr() + at;
        args.m = self.m.ptr() + at;
        args.v = self.v.ptr() + at;
        args.average = if averages { self.average.ptr() + at } else { 0 };
        args.turned = self.turned.ptr() + (seat * args.shape.turned_size as usize * size_of::<f32>()) as u64;
    }
}
