//! The memory of a trainer, and views into it.

use std::ops::Range;

use fm_net::Scope;

use super::kernels::{Area, Kernels, View, pointwise};
use super::map::Map;
use super::plan::{Kind, Plan};
use super::program::Program;
use crate::Error;
use crate::buffer::Buffer;

/// How a stage computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As in training: batch statistics, dropout.
    Train,
    /// A part that does not train, in a step that passes gradients through it.
    Frozen,
    /// Inference, with batch norms folded into the layers before them.
    Infer,
}

/// Everything the workers share.
pub(crate) struct State {
    pub(crate) plan: Plan,
    pub(crate) kernels: &'static Kernels,
    pub(crate) scope: Scope,
    pub(crate) params: Buffer<f32>,
    pub(crate) m: Buffer<f32>,
    pub(crate) v: Buffer<f32>,
    /// The moving average of the tensors, where one is kept.
    pub(crate) average: Buffer<f32>,
    pub(crate) grad: Buffer<f32>,
    /// Weights in the order of the kernels, and the same with norms folded in.
    pub(crate) packed: Buffer<f32>,
    pub(crate) folded: Buffer<f32>,
    /// By layer, the bias with the norm folded in.
    pub(crate) folded_bias: Vec<Buffer<f32>>,
    /// By layer, standardised weights and one over each filter's deviation.
    pub(crate) standard: Vec<Buffer<f32>>,
    pub(crate) deviation: Vec<Buffer<f32>>,
    pub(crate) values: Vec<Buffer<f32>>,
    /// By stage: where maxima were, statistics of group norms, factors of dropout.
    pub(crate) extra: Vec<Buffer<f32>>,
    pub(crate) program: Program,
    pub(crate) gradients: Vec<Buffer<f32>>,
    /// By layer, `[slice][weights, then bias]`.
    pub(crate) partial: Vec<Buffer<f32>>,
    pub(crate) coefficients: Buffer<f32>,
    /// `[task][channel][3]`.
    pub(crate) statistics: Buffer<f32>,
    /// By worker.
    pub(crate) scratch: Vec<Buffer<f32>>,
    pub(crate) bytes: Vec<Buffer<u8>>,
    /// By worker: zeros, then what Winograd's form needs.
    pub(crate) tiles: Vec<Buffer<f32>>,
    /// By worker: rows of a value that is not kept, and of its gradient.
    pub(crate) lines: Vec<Buffer<f32>>,
    /// Zeros at its start.
    pub(crate) zeros: usize,
    /// `[slot][lane]`: 1 for an image, 0 for none.
    pub(crate) mask: Buffer<f32>,
    pub(crate) losses: Buffer<f32>,
    pub(crate) hits: Buffer<u8>,
    /// Slots of a training batch.
    pub(crate) slots: usize,
}

/// Most pieces that a slot's rows are dealt out in.
pub(crate) const PIECES: usize = 7;

/// Pieces of all slots together, about: more would keep more threads busy, but each makes the rows around it again.
const ALL: usize = 12;

impl State {
    pub(crate) fn new(
        plan: Plan,
        kernels: &'static Kernels,
        max_batch: usize,
        workers: usize,
    ) -> Result<Self, Error> {
        let lanes = plan.lanes;
        let slots = max_batch.div_ceil(lanes);
        let room = slots.max(workers);
        let flat = || Buffer::new(plan.flat);
        let channels = plan.values.iter().map(|value| value.map.channels).max().unwrap_or(1);
        let draws = plan.stages.iter().map(|stage| match stage.kind {
            Kind::Dropout { dims: [c, h, w], .. } => c * h * w * lanes,
            _ => 0,
        });
        let draws = draws.max().unwrap_or(0);
        let extra = plan.stages.iter().map(|stage| match &stage.kind {
            Kind::Pooled { .. } => Buffer::new(2 * room * plan.map(stage.out).size()),
            Kind::Pool { max: true, .. } | Kind::Global { max: true } | Kind::Dropout { .. } => {
                Buffer::new(room * plan.map(stage.out).size())
            }
            Kind::GroupNorm { groups, .. } => Buffer::new(room * groups * 2 * lanes),
            _ => Buffer::new(0),
        });
        let layers = || plan.layers.iter();
        let zeros = channels * lanes;
        let room_of = |pass: &super::layer::Pass| {
            pass.tiled.as_ref().map_or(0, |tiled| tiled.room(tiled.rows, pass.depth, pass.channels(), lanes))
        };
        let passes = layers().flat_map(|layer| layer.backward.iter().chain([&layer.forward])).map(room_of);
        let folds = (0..plan.layers.len()).map(|at| {
            let rows =
                (0..plan.row_parts(at)).map(|part| plan.rows_of_part(at, part).len()).max().unwrap_or(0);
            let layer = &plan.layers[at];
            if layer.is_pointwise() {
                let pixels = rows * plan.map(layer.output).width;
                return pointwise::room(lanes, pixels, layer.shape.second, layer.plain_most());
            }
            layer.folded_room(lanes, rows, plan.slots_together(at))
        });
        let tiles = passes.chain(folds).max();
        Ok(Self {
            scope: Scope::All,
            params: flat()?,
            m: flat()?,
            v: flat()?,
            average: flat()?,
            grad: flat()?,
            packed: Buffer::new(plan.packed)?,
            folded: Buffer::new(plan.packed)?,
            folded_bias: layers()
                .map(|layer| Buffer::new(plan.map(layer.output).channels))
                .collect::<Result<_, Error>>()?,
            standard: layers()
                .map(|layer| Buffer::new(if layer.standardised { layer.shape.weights() } else { 0 }))
                .collect::<Result<_, Error>>()?,
            deviation: layers().map(|layer| Buffer::new(layer.shape.first)).collect::<Result<_, Error>>()?,
            values: plan
                .values
                .iter()
                .enumerate()
                .map(|(at, value)| {
                    Buffer::new(if plan.maker(at).is_some() { 0 } else { room * value.map.size() })
                })
                .collect::<Result<_, Error>>()?,
            extra: extra.collect::<Result<_, Error>>()?,
            program: Program::default(),
            gradients: Vec::new(),
            partial: layers()
                .map(|layer| {
                    Buffer::new(layer.slices * (layer.shape.weights() + plan.map(layer.output).channels))
                })
                .collect::<Result<_, Error>>()?,
            coefficients: Buffer::new(plan.coefficients)?,
            statistics: Buffer::new(slots * PIECES * channels * 3)?,
            scratch: (0..workers).map(|_| Buffer::new(channels * 3 * lanes)).collect::<Result<_, Error>>()?,
            bytes: (0..workers).map(|_| Buffer::new(draws)).collect::<Result<_, Error>>()?,
            tiles: (0..workers)
                .map(|_| Buffer::new(zeros + tiles.unwrap_or(0)))
                .collect::<Result<_, Error>>()?,
            lines: (0..workers).map(|_| Buffer::new(plan.lines_room())).collect::<Result<_, Error>>()?,
            zeros,
            mask: Buffer::new(slots * lanes)?,
            losses: Buffer::new(slots * lanes)?,
            hits: Buffer::new(slots * lanes)?,
            slots,
            plan,
            kernels,
        })
    }

    /// Makes the backward pass for a scope.
    pub(crate) fn prepare(&mut self, scope: Scope) -> Result<(), Error> {
        self.scope = scope;
        self.program = Program::new(&self.plan, scope);
        let slots = self.slots;
        let buffers = self.program.buffers.iter().map(|map| Buffer::new(slots * map.size()));
        self.gradients = buffers.collect::<Result<_, Error>>()?;
        Ok(())
    }

    /// How a part computes in a training step.
    pub(crate) fn mode(&self, part: fm_net::Part) -> Mode {
        match (self.scope.contains(part), self.scope) {
            (true, _) => Mode::Train,
            (false, Scope::Head) => Mode::Infer,
            (false, _) => Mode::Frozen,
        }
    }

    fn view(buffer: &Buffer<f32>, map: Map, slot: usize) -> View {
        // Beyond the buffer no pointer may be made, let alone used.
        assert!((slot + 1) * map.size() <= buffer.len(), "slot {slot} of {map:?}");
        // SAFETY: within the buffer, by the assertion.
        let at = unsafe { buffer.start().add(slot * map.size() + map.origin()) };
        View { at, row: map.row(), px: map.px() }
    }

    /// A slot of a value; nothing, where that is not kept.
    pub(crate) fn value(&self, value: usize, slot: usize) -> View {
        if self.plan.maker(value).is_some() {
            return View { at: std::ptr::null_mut(), row: 0, px: 0 };
        }
        Self::view(&self.values[value], self.plan.map(value), slot)
    }

    /// A slot of a gradient's buffer.
    pub(crate) fn gradient(&self, buffer: usize, slot: usize) -> View {
        Self::view(&self.gradients[buffer], self.program.buffers[buffer], slot)
    }

    /// A slot of what a stage keeps beside its output, which is as large as that.
    pub(crate) fn beside(&self, stage: usize, slot: usize) -> View {
        let buffer = &self.extra[stage];
        if buffer.len() == 0 {
            return View { at: std::ptr::null_mut(), row: 0, px: 0 };
        }
        Self::view(buffer, self.plan.map(self.plan.stages[stage].out), slot)
    }

    /// The norm's inputs where the maxima of a stage are.
    pub(crate) fn own(&self, stage: usize, slot: usize) -> View {
        let (buffer, map) = (&self.extra[stage], self.plan.map(self.plan.stages[stage].out));
        Self::view(buffer, map, buffer.len() / map.size() / 2 + slot)
    }

    /// Coefficients of a batch norm.
    pub(crate) fn coefficient(&self, norm: usize, kind: usize) -> *mut f32 {
        let place = self.plan.norms[norm].place(kind);
        assert!(place.end <= self.coefficients.len(), "coefficient {kind} of norm {norm}");
        // SAFETY: within the buffer, by the assertion.
        unsafe { self.coefficients.start().add(place.start) }
    }

    /// A tensor in one of the flat vectors.
    pub(crate) fn tensor(&self, flat: &Buffer<f32>, index: usize) -> *mut f32 {
        let tensor = self.plan.tensors[index];
        assert!(tensor.at + tensor.len <= flat.len(), "tensor {index}");
        // SAFETY: within the buffer, by the assertion.
        unsafe { flat.start().add(tensor.at) }
    }

    /// A tensor to read.
    ///
    /// # Safety
    /// No one writes it meanwhile.
    pub(crate) unsafe fn read(&self, flat: &'_ Buffer<f32>, index: usize) -> &[f32] {
        let tensor = self.plan.tensors[index];
        // SAFETY: not written, says the caller; both live as long as the state.
        unsafe {
            std::slice::from_raw_parts(flat.get(tensor.at..tensor.at + tensor.len).as_ptr(), tensor.len)
        }
    }
}

/// Piece `index` of `units` things in `pieces`.
pub(crate) fn piece(index: usize, pieces: usize, units: usize) -> Range<usize> {
    index * units / pieces..(index + 1) * units / pieces
}

/// Pieces that so many rows (or channels) of each slot are dealt out in: a number that depends on the batch alone.
pub(crate) fn pieces(units: usize, slots: usize) -> usize {
    units.min(ALL.div_ceil(slots)).clamp(1, PIECES)
}

/// Some rows of a map.
pub(crate) fn area(map: Map, rows: Range<usize>) -> Area {
    Area { rows, cols: map.width, channels: map.channels }
}
