//! Everything a step works on: parameters, their derived forms, and the memory of one batch.

use crate::Error;
use crate::buffer::Buffer;
use crate::kernels::Kernels;
use crate::kernels::route::Entry;
use crate::kernels::unit::Transpose;
use crate::kernels::update::{Rule, Update};
use crate::kernels::winograd::Weights;
use crate::plan::{Conv, Dense, GROUP, LANES, Plan, Task, plane};

/// The state the workers share. Which parts a task may touch is said in `worker`.
pub(crate) struct State {
    pub(crate) plan: Plan,
    pub(crate) kernels: &'static Kernels,
    pub(crate) params: Buffer<f32>,
    pub(crate) m: Buffer<f32>,
    pub(crate) v: Buffer<f32>,
    /// The moving average of the parameters, where one is kept.
    pub(crate) average: Buffer<f32>,
    /// The gradient, where it is asked for; training keeps it in each worker's scratch.
    pub(crate) grad: Buffer<f32>,
    pub(crate) conv: Vec<ConvState>,
    pub(crate) dense: Vec<DenseState>,
    /// Per image, the gradient of the first block's parameters.
    pub(crate) first: Buffer<f32>,
    pub(crate) losses: Buffer<f32>,
    pub(crate) hits: Buffer<u8>,
    pub(crate) scratch: Vec<Scratch>,
}

/// One block's derived weights and its part of the batch.
pub(crate) struct ConvState {
    /// `[16][inputs][outputs]`: weights in the Winograd domain.
    pub(crate) frequencies: Buffer<f32>,
    /// `[inputs / 16][outputs][9][16]`: weights for the data gradient.
    pub(crate) slabs: Buffer<f32>,
    /// Per image, the pooled map, channels last.
    pub(crate) value: Buffer<f32>,
    pub(crate) origin: Buffer<u8>,
    /// `[blocks][outputs][room]`: surviving gradients by output channel.
    pub(crate) entries: Buffer<Entry>,
    pub(crate) counts: Buffer<u32>,
}

/// One dense layer's derived weights and its part of the batch.
pub(crate) struct DenseState {
    /// `[outputs][inputs]`.
    pub(crate) flipped: Buffer<f32>,
    pub(crate) value: Buffer<f32>,
    /// Gradient of the layer's output before its ReLU.
    pub(crate) delta: Buffer<f32>,
}

/// What one worker needs for itself.
pub(crate) struct Scratch {
    pub(crate) patches: Buffer<f32>,
    pub(crate) tiles: Buffer<f32>,
    pub(crate) products: Buffer<f32>,
    /// Per block, the gradient of the pooled maps of one group.
    pub(crate) delta: Vec<Buffer<f32>>,
    /// Per image, window and corner, the channels whose gradient survives.
    pub(crate) entries: Buffer<u32>,
    pub(crate) counts: Buffer<u32>,
    pub(crate) all: Buffer<u32>,
    pub(crate) grads: Buffer<f32>,
}

impl State {
    /// Memory for batches of `max_batch` images, and for each of the workers.
    ///
    /// # Errors
    /// [`Error::Memory`] when there is not enough.
    pub(crate) fn new(
        plan: Plan,
        kernels: &'static Kernels,
        max_batch: usize,
        workers: usize,
    ) -> Result<Self, Error> {
        // Whole groups, and at least one per worker.
        let slots = max_batch.next_multiple_of(GROUP).max(workers * GROUP);
        let later = |layer: usize, size: usize| if layer == 0 { 0 } else { size };
        let conv = plan.conv.iter().enumerate().map(|(layer, conv)| {
            let (inputs, outputs) = (conv.inputs.1, conv.outputs.1);
            Ok(ConvState {
                frequencies: Buffer::new(later(layer, 16 * plane(inputs * outputs)))?,
                slabs: Buffer::new(later(layer, 9 * inputs * outputs))?,
                value: Buffer::new(slots * conv.map())?,
                origin: Buffer::new(slots * conv.map())?,
                entries: Buffer::new(later(layer, slots * conv.map()))?,
                counts: Buffer::new(later(layer, slots / conv.block * outputs))?,
            })
        });
        let dense = plan.dense.iter().map(|dense| {
            Ok(DenseState {
                flipped: Buffer::new(dense.weights())?,
                value: Buffer::new(slots * dense.outputs.1)?,
                delta: Buffer::new(slots * dense.outputs.1)?,
            })
        });
        Ok(Self {
            params: Buffer::new(plan.padded)?,
            m: Buffer::new(plan.padded)?,
            v: Buffer::new(plan.padded)?,
            average: Buffer::new(plan.padded)?,
            grad: Buffer::new(plan.padded)?,
            conv: conv.collect::<Result<_, Error>>()?,
            dense: dense.collect::<Result<_, Error>>()?,
            first: Buffer::new(slots * 10 * plan.conv[0].outputs.1)?,
            losses: Buffer::new(slots)?,
            hits: Buffer::new(slots)?,
            scratch: (0..workers).map(|_| Scratch::new(&plan)).collect::<Result<_, Error>>()?,
            plan,
            kernels,
        })
    }

    /// Brings every derived form up to date with the parameters.
    pub(crate) fn derive(&mut self) {
        for &task in &self.plan.tasks {
            // SAFETY: `&mut self`: no worker is running.
            unsafe { self.derive_task(task) };
        }
    }

    /// Brings the derived forms of one task's parameters up to date.
    ///
    /// # Safety
    /// No one else uses the task's parameters or their derived forms.
    pub(crate) unsafe fn derive_task(&self, task: Task) {
        // SAFETY: the derived forms were made for these shapes; exclusive, says the caller.
        unsafe {
            match task {
                Task::First => {}
                Task::Conv { layer, chunk } => {
                    let conv = &self.plan.conv[layer];
                    let state = &self.conv[layer];
                    (self.kernels.weights)(Weights {
                        from: self.params.get(conv.chunk(chunk).0),
                        inputs: conv.inputs.1,
                        outputs: conv.outputs.1,
                        first: chunk * LANES,
                        frequencies: state.frequencies.start(),
                        slabs: state.slabs.start(),
                    });
                }
                Task::Dense { layer, row, rows } => {
                    let dense = &self.plan.dense[layer];
                    let (inputs, outputs) = (dense.inputs.1, dense.outputs.1);
                    let start = dense.at + row * outputs;
                    (self.kernels.transpose)(Transpose {
                        from: self.params.get(start..start + rows * outputs),
                        rows,
                        cols: outputs,
                        to: self.dense[layer].flipped.start().add(row),
                        pitch: inputs,
                    });
                }
            }
        }
    }

    /// One update of a range of parameters.
    ///
    /// # Safety
    /// No one else uses the range's parameters, moments and average.
    pub(crate) unsafe fn update(&self, start: usize, g: &[f32], rule: Rule) {
        let range = start..start + g.len();
        // SAFETY: exclusive, says the caller; a kernel in the table is one the CPU can run.
        unsafe {
            let average = if rule.fresh.is_some() { range.clone() } else { 0..0 };
            (self.kernels.update)(Update {
                w: self.params.get_mut(range.clone()),
                m: self.m.get_mut(range.clone()),
                v: self.v.get_mut(range),
                average: self.average.get_mut(average),
                g,
                rule,
            });
        }
    }
}

impl Scratch {
    fn new(plan: &Plan) -> Result<Self, Error> {
        let most = |size: &dyn Fn(&Conv) -> usize| plan.conv.iter().skip(1).map(size).max().unwrap_or(0);
        let tile = |conv: &Conv, width: usize| 16 * plane(conv.pass * conv.windows() * width);
        let conv = most(&|conv| LANES * (9 * conv.inputs.1 + 1));
        let dense = |dense: &Dense| {
            let rows = plan.tasks.iter().map(|task| match task {
                Task::Dense { rows, .. } => *rows,
                _ => 0,
            });
            rows.max().unwrap_or(0).min(dense.inputs.1) * dense.outputs.1 + dense.outputs.1
        };
        let dense = plan.dense.iter().map(dense).max().unwrap_or(0);
        Ok(Self {
            patches: Buffer::new(GROUP * plan.conv[0].windows() * 16)?,
            tiles: Buffer::new(most(&|conv| tile(conv, conv.inputs.1)))?,
            products: Buffer::new(most(&|conv| tile(conv, conv.outputs.1)))?,
            delta: plan
                .conv
                .iter()
                .map(|conv| Buffer::new(GROUP * conv.map()))
                .collect::<Result<_, Error>>()?,
            entries: Buffer::new(most(&|conv| GROUP * 4 * conv.map()))?,
            counts: Buffer::new(most(&|conv| GROUP * 4 * conv.windows()))?,
            all: Buffer::new(most(&|conv| conv.outputs.1))?,
            grads: Buffer::new(conv.max(dense).max(10 * plan.conv[0].outputs.1))?,
        })
    }
}
