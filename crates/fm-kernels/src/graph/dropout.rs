//! Dropout's factors, from the draws that every engine shares.

use fm_net::Draws;
use fm_net::draws::scale;

use super::forward::Place;
use super::plan::Kind;
use super::state::State;

impl State {
    /// Draws the factors of a dropout stage for one slot.
    ///
    /// # Safety
    /// No one else uses the slot's factors or the worker's bytes.
    pub(crate) unsafe fn draw(&self, index: usize, slot: usize, draws: &Draws, at: Place) {
        let stage = &self.plan.stages[index];
        let Kind::Dropout { percent, channels, dims: [_, height, width] } = stage.kind else { return };
        let map = self.plan.map(stage.out);
        let lanes = self.plan.lanes;
        let (height, width) = if channels { (1, 1) } else { (height, width) };
        let each = map.channels * height * width;
        let keep = scale(percent);
        let factors = self.beside(index, slot);
        // SAFETY: as promised by the caller.
        unsafe {
            let mask = self.bytes[at.worker].get_mut(0..each * at.images);
            draws.fill(stage.node, slot * lanes * each, percent, mask);
            for y in 0..map.height {
                for x in 0..map.width {
                    for c in 0..map.channels {
                        let to = factors.pixel(y, x).add(c * lanes);
                        let place = if channels { c } else { (c * height + y) * width + x };
                        for lane in 0..lanes {
                            let stays = lane < at.images && mask[lane * each + place] != 0;
                            *to.add(lane) = if stays { keep } else { 0.0 };
                        }
                    }
                }
            }
        }
    }
}
