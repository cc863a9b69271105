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
                    let mut term = self.terms(std::slice::from_ref(term), slot, mode)[0];
                    for part in if_made(part, maker) {
                        let lines = part.start * size..part.end * size;
                        term.y = match maker {
                            Some(layer) => self.make(layer, slot, lines, mode, at),
                            None => self.value(input, slot).at_row(lines.start),
                        };
                        (self.kernels.pooled)(pooled::Forward {
                            area: area(z_map, 0..part.len()),
                            size: *size,
                            term,
                            z: z.at_row(part.start),
                            from: self.beside(index, slot).at_row(part.start),
                            own: self.own(index, slot).at_row(part.start),
                        });
                    }
                }
                Kind::Pool { size, stride, max } => {
                    for part in if_made(part, maker) {
                        let first = part.start * stride;
                        let x = match maker {
                            Some(layer) => self.make(layer, slot, first..first + part.len() * size, mode, at),
                            None => self.value(input, slot).at_row(first),
                        };
                        (self.kernels.pool)(Pool {
                            area: area(z_map, 0..part.len()),
                            height: z_map.height,
                            width: x_map.width,
                            size: *size,
                            stride: *stride,
                            max: *max,
                            x,
                            z: z.at_row(part.start),
                            from: self.beside(index, slot).at_row(part.start),
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
