//! Maxima and averages over windows, forward.

use std::ops::Range;

use super::forward::Place;
use super::kernels::pool::Pool;
use super::kernels::pooled;
use super::plan::Kind;
use super::state::{Mode, State, area};

impl State {
    /// Some rows of windows of one slot.
    ///
    /// # Safety
    /// As for [`State::forward`].
    pub(super) unsafe fn windows(
        &self,
        index: usize,
        slot: usize,
        part: Range<usize>,
        mode: Mode,
        at: Place,
    ) {
        let stage = &self.plan.stages[index];
        let (input, z) = (stage.inputs[0], self.value(stage.out, slot));
        let (x_map, z_map) = (self.plan.map(input), self.plan.map(stage.out));
        let maker = self.plan.maker(input);
        // SAFETY: as promised by the caller; the maps are as large as the plan says.
        unsafe {
            match &stage.kind {
                Kind::Pooled { term, size } => {
                    let mut own = self.terms(std::slice::from_ref(term), slot, mode)[0];
                    for part in if_made(part, maker) {
                        if let Some(layer) = maker {
                            own.y = self.make(layer, slot, part.start * size..part.end * size, mode, at);
                        }
                        (self.kernels.pooled)(pooled::Forward {
                            area: area(z_map, part),
                            size: *size,
                            term: own,
                            z,
                            from: self.beside(index, slot),
                            own: self.own(index, slot),
                        });
                    }
                }
                Kind::Pool { size, stride, max } => {
                    let x = self.value(input, slot);
                    for part in if_made(part, maker) {
                        let made = part.start * size..part.end * size;
                        let x = maker.map_or(x, |layer| self.make(layer, slot, made, mode, at));
                        (self.kernels.pool)(Pool {
                            area: area(z_map, part),
                            height: z_map.height,
                            width: x_map.width,
                            size: *size,
                            stride: *stride,
                            max: *max,
                            x,
                            z,
                            from: self.beside(index, slot),
                            relu: None,
                            add: false,
                        });
                    }
                }
                _ => {}
            }
        }
    }
}

/// Rows of windows: one after the other where a layer makes what is in them, else all at once.
fn if_made(part: Range<usize>, maker: Option<usize>) -> impl Iterator<Item = Range<usize>> {
    let step = if maker.is_some() { 1 } else { part.len().max(1) };
    part.clone().step_by(step).map(move |first| first..part.end.min(first + step))
}
