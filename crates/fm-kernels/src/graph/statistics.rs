//! Sums by channel that pieces of a stage leave behind, for the batch norms.

use super::forward::Place;
use super::state::State;

impl State {
    /// Adds up the lanes of a piece's sums and keeps them under its number, three a channel.
    ///
    /// # Safety
    /// `sums` holds them, `[channel][3][lanes]`, and the task's statistics are no one else's.
    pub(super) unsafe fn keep(&self, sums: *const f32, channels: usize, at: Place) {
        let lanes = self.plan.lanes;
        // SAFETY: as promised by the caller.
        unsafe {
            let kept = self.kept(at.task);
            for (kind, to) in kept.iter_mut().take(3 * channels).enumerate() {
                let lane = std::slice::from_raw_parts(sums.add(kind * lanes), lanes);
                // Pairwise, in an order that depends on the lanes alone; images that are not there are left out.
                let mut tree = [0.0_f32; 16];
                let count = at.images.min(lanes);
                tree[..count].copy_from_slice(&lane[..count]);
                for half in [8, 4, 2, 1] {
                    for i in 0..half {
                        tree[i] += tree[i + half];
                    }
                }
                *to = tree[0];
            }
        }
    }

    /// Makes mean, sum of squares about it, and number of a piece's values from its lanes' sums, `count` values
    /// each, and keeps them under its number. (Chan, Golub & LeVeque, 1979: no digits are lost where a mean is
    /// far from zero.)
    ///
    /// # Safety
    /// As for [`State::keep`]; the sums are of values less the lane's first.
    pub(super) unsafe fn keep_moments(&self, sums: *const f32, channels: usize, count: usize, at: Place) {
        let lanes = self.plan.lanes;
        let images = at.images.min(lanes);
        let each = count as f64;
        // SAFETY: as promised by the caller.
        unsafe {
            let kept = self.kept(at.task);
            for (c, to) in kept.chunks_exact_mut(3).take(channels).enumerate() {
                let lane = std::slice::from_raw_parts(sums.add(3 * c * lanes), 3 * lanes);
                let mut means = [0.0_f64; 16];
                let (mut total, mut about) = (0.0, 0.0);
                for i in 0..images {
                    let (sum, square) = (f64::from(lane[lanes + i]), f64::from(lane[2 * lanes + i]));
                    means[i] = f64::from(lane[i]) + sum / each;
                    about += square - sum * sum / each;
                    total += means[i];
                }
                let mean = total / images as f64;
                for own in &means[..images] {
                    about += each * (own - mean) * (own - mean);
                }
                to[0] = mean as f32;
                to[1] = about as f32;
                to[2] = (count * images) as f32;
            }
        }
    }

    /// The gradient of a bias from the first of what tasks have kept, in their order.
    ///
    /// # Safety
    /// No worker is running.
    pub(super) unsafe fn bias_gradient(&self, tensor: usize, tasks: usize) {
        let to = self.tensor(&self.grad, tensor);
        for c in 0..self.plan.tensors[tensor].len {
            // SAFETY: exclusive, says the caller; within the tensor.
            unsafe { *to.add(c) = self.total(tasks, c, 0) as f32 };
        }
    }

    /// What is kept for a task.
    ///
    /// # Safety
    /// No one else uses it.
    #[expect(clippy::mut_from_ref, reason = "parts of shared buffers; the caller promises disjointness")]
    unsafe fn kept(&self, task: usize) -> &mut [f32] {
        let pitch = self.pitch();
        // SAFETY: exclusive, says the caller.
        unsafe { self.statistics.get_mut(task * pitch..(task + 1) * pitch) }
    }

    /// Floats of one task's statistics.
    pub(super) fn pitch(&self) -> usize {
        let channels = self.plan.values.iter().map(|value| value.map.channels).max().unwrap_or(1);
        channels * 3
    }
}
