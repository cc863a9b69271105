//! What is minimised, by image: softmax cross-entropy of logits, or squared error of reconstructions.

use super::state::State;
use crate::worker::{Target, Towards};

impl State {
    /// Loss, hit and gradient (times `scale`) of every image of a slot; zero where there is none.
    ///
    /// # Safety
    /// No one else uses the slot; the network's output is done.
    pub(crate) unsafe fn classify(&self, slot: usize, rows: &[u32], towards: Towards<'_>, scale: f32) {
        let lanes = self.plan.lanes;
        let classes = self.plan.output_len();
        let (z, g) = (self.value(self.plan.output, slot).at, self.gradient(self.program.output, slot).at);
        // SAFETY: as promised by the caller.
        unsafe {
            let losses = self.losses.get_mut(slot * lanes..(slot + 1) * lanes);
            let hits = self.hits.get_mut(slot * lanes..(slot + 1) * lanes);
            for lane in 0..lanes {
                let score = |class: usize| f64::from(*z.add(class * lanes + lane));
                let Some(&row) = rows.get(lane) else {
                    for class in 0..classes {
                        *g.add(class * lanes + lane) = 0.0;
                    }
                    continue;
                };
                let Target { label, partner, share: own, smoothing } = towards.of(row as usize);
                let (one, all) = (1.0 - f64::from(smoothing), f64::from(smoothing) / classes as f64);
                let own = f64::from(own);
                let wanted = |class: usize| {
                    let of = |is: bool| f64::from(u8::from(is));
                    all + one * (own * of(class == label) + (1.0 - own) * of(class == partner))
                };
                let best =
                    (1..classes).fold(0, |best, class| if score(class) > score(best) { class } else { best });
                let top = score(best);
                let sum: f64 = (0..classes).map(|class| (score(class) - top).exp()).sum();
                for class in 0..classes {
                    let share = (score(class) - top).exp() / sum;
                    *g.add(class * lanes + lane) = (f64::from(scale) * (share - wanted(class))) as f32;
                }
                let expected: f64 = (0..classes).map(|class| wanted(class) * score(class)).sum();
                losses[lane] = (sum.ln() + top - expected) as f32;
                hits[lane] = u8::from(best == label);
            }
        }
    }

    /// Mean squared error of every image of a slot against the part of the image that the output shows, and
    /// its gradient times `scale`.
    ///
    /// # Safety
    /// No one else uses the slot; the network's output is done, and the image is as it was read.
    pub(crate) unsafe fn reconstruct(&self, slot: usize, images: usize, scale: f32) {
        let lanes = self.plan.lanes;
        let map = self.plan.map(self.plan.output);
        let (z, g) = (self.value(self.plan.output, slot), self.gradient(self.program.output, slot));
        let x = self.value(0, slot);
        let mut sums = [0.0_f64; 16];
        let part = 1.0 / self.plan.output_len() as f64;
        // SAFETY: as promised by the caller; the output is no larger than the image.
        unsafe {
            for row in 0..map.height {
                for col in 0..map.width {
                    let at = (z.pixel(row, col), x.pixel(row, col), g.pixel(row, col));
                    for c in 0..map.channels * lanes {
                        let off = *at.0.add(c) - *at.1.add(c);
                        let here = c % lanes < images;
                        sums[c % lanes] += f64::from(off) * f64::from(off);
                        *at.2.add(c) = if here { 2.0 * scale * part as f32 * off } else { 0.0 };
                    }
                }
            }
            let losses = self.losses.get_mut(slot * lanes..(slot + 1) * lanes);
            for (loss, sum) in losses.iter_mut().zip(sums) {
                *loss = (sum * part) as f32;
            }
            self.hits.get_mut(slot * lanes..(slot + 1) * lanes).fill(0);
        }
    }

    /// Fills a slot's image from bytes `[rows, channels, height, width]`.
    ///
    /// # Safety
    /// No one else uses the slot; the rows are in the set.
    pub(crate) unsafe fn load_images(&self, slot: usize, images: &[u8], rows: &[u32]) {
        let map = self.plan.map(0);
        let [channels, height, width] = self.plan.image;
        let lanes = self.plan.lanes;
        let x = self.value(0, slot);
        for lane in 0..lanes {
            let image = rows.get(lane).map(|&row| row as usize * channels * height * width);
            for y in 0..map.height {
                for c in 0..channels {
                    let line = image.map(|start| &images[start + (c * height + y) * width..][..map.width]);
                    for col in 0..map.width {
                        let value = line.map_or(0.0, |line| f32::from(line[col]) * crate::simd::PIXEL_SCALE);
                        // SAFETY: as promised by the caller.
                        unsafe { *x.pixel(y, col).add(c * lanes + lane) = value };
                    }
                }
            }
        }
    }

    /// Fills a slot's codes from `[rows, code length]`.
    ///
    /// # Safety
    /// No one else uses the slot; the rows are in the set.
    pub(crate) unsafe fn load_codes(&self, slot: usize, codes: &[f32], rows: &[u32]) {
        let len = self.plan.code_len();
        let lanes = self.plan.lanes;
        let x = self.value(self.plan.code.0, slot).at;
        for lane in 0..lanes {
            let code = rows.get(lane).map(|&row| &codes[row as usize * len..][..len]);
            for at in 0..len {
                // SAFETY: as promised by the caller; codes are vectors.
                unsafe { *x.add(at * lanes + lane) = code.map_or(0.0, |code| code[at]) };
            }
        }
    }

    /// Reads a slot's value as `[image][channel][row][column]`.
    ///
    /// # Safety
    /// No one writes the slot meanwhile.
    pub(crate) unsafe fn unload(&self, value: usize, slot: usize, out: &mut [f32]) {
        let map = self.plan.map(value);
        let lanes = self.plan.lanes;
        let view = self.value(value, slot);
        for (lane, out) in out.chunks_exact_mut(map.channels * map.pixels()).enumerate() {
            for (at, out) in out.iter_mut().enumerate() {
                let (c, p) = (at / map.pixels(), at % map.pixels());
                // SAFETY: as promised by the caller.
                *out = unsafe { *view.pixel(p / map.width, p % map.width).add(c * lanes + lane) };
            }
        }
    }
}
