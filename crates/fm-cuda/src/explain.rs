//! How long each kernel of a step takes.

use crate::Error;
use crate::driver::Event;
use crate::plan::Launch;
use crate::trainer::Trainer;

/// A kernel of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name; one that ends with a number is of that block, counted from 0.
    pub name: String,
    /// Microseconds a launch for all seats, when it is launched over and over.
    pub microseconds: f64,
    /// Blocks of a launch.
    pub blocks: u64,
    /// Threads of a block.
    pub threads: u32,
    /// Shared memory of a block in bytes.
    pub shared: u32,
    /// Registers of a thread.
    pub registers: u32,
}

impl Trainer {
    /// Times each kernel of a step by itself, over `repeats` launches in a graph. Each seat must have been given two
    /// steps, and [`Trainer::prepare`] come before. Leaves parameters that mean nothing.
    ///
    /// # Errors
    /// When the device fails.
    pub fn explain(&mut self, repeats: usize) -> Result<Vec<Stage>, Error> {
        let (args, launches) = (self.args(), self.launches());
        let gpu = std::sync::Arc::clone(self.gpu());
        let (start, end) = (Event::new(gpu.context())?, Event::new(gpu.context())?);
        let seats = self.seats();
        // A whole step first, so that every kernel finds what it reads.
        self.step(&args, &launches)?;
        let mut stages = Vec::new();
        for launch in &launches {
            // SAFETY: the plan made the memory for these launches.
            let work = || (0..repeats).try_for_each(|_| unsafe { gpu.launch(launch, &args, seats) });
            let graph = gpu.stream.capture(work)?;
            let mut best = f64::INFINITY;
            for _ in 0..3 {
                start.record(&gpu.stream)?;
                // SAFETY: as above.
                unsafe { gpu.stream.launch_graph(&graph)? };
                end.record(&gpu.stream)?;
                gpu.stream.synchronize()?;
                best = best.min(f64::from(start.milliseconds_to(&end)?) * 1000.0 / repeats as f64);
            }
            stages.push(self.stage(launch, best)?);
        }
        Ok(stages)
    }

    fn stage(&self, launch: &Launch, microseconds: f64) -> Result<Stage, Error> {
        Ok(Stage {
            name: launch.name.clone(),
            microseconds,
            blocks: (launch.blocks.0 * launch.blocks.1 * self.seats()) as u64,
            threads: launch.threads as u32,
            shared: launch.shared as u32,
            registers: self.gpu().function(&launch.name)?.registers()?,
        })
    }
}
