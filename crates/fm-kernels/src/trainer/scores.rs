//! Forward passes outside training: class scores and codes.

use super::{Trainer, length};
use crate::Error;
use crate::buffer::Parts;
use crate::plan::GROUP;
use crate::pool::Pool;
use crate::worker::{Batch, Group, Source, round};

impl Trainer {
    /// Class scores (before softmax) of some rows: `out` is `[rows, classes]`.
    ///
    /// # Errors
    /// When a length or row does not fit.
    pub fn evaluate(&mut self, images: &[u8], rows: &[u32], out: &mut [f32]) -> Result<(), Error> {
        self.check_images(images)?;
        let pixels = self.network().height * self.network().width;
        self.check_rows(rows, images.len() / pixels, None)?;
        self.score(Batch { source: Source::Images(images), rows }, out)
    }

    /// Class scores of some rows of cached codes.
    ///
    /// # Errors
    /// When a length or row does not fit.
    pub fn evaluate_codes(&mut self, codes: &[f32], rows: &[u32], out: &mut [f32]) -> Result<(), Error> {
        let count = self.check_codes(codes)?;
        self.check_rows(rows, count, None)?;
        self.score(Batch { source: Source::Codes(codes), rows }, out)
    }

    /// Codes of some rows, `[rows, features]`, each in `(y, x, channel)` order: the one that the kernels
    /// compute in, so that [`Trainer::step_codes`] has nothing to rearrange. PyTorch flattens `(channel, y, x)`.
    ///
    /// # Errors
    /// When a length or row does not fit.
    pub fn encode(&mut self, images: &[u8], rows: &[u32], out: &mut [f32]) -> Result<(), Error> {
        self.check_images(images)?;
        let pixels = self.network().height * self.network().width;
        self.check_rows(rows, images.len() / pixels, None)?;
        let (state, batch) = (&self.state, Batch { source: Source::Images(images), rows });
        let Some(conv) = state.plan.conv.last() else { return Ok(()) };
        let (windows, (channels, pitch)) = (conv.windows(), conv.outputs);
        let size = windows * channels;
        length("codes", out.len(), rows.len() * size)?;
        let out = Parts::new(out);
        let last = &state.conv[state.conv.len() - 1].value;
        sweep(&mut self.pool, rows.len(), &|worker, group| {
            // SAFETY: each worker uses its own slots and scratch; groups' outputs are disjoint.
            unsafe {
                state.codes(worker, batch, group);
                let out = out.get_mut(group.rows.start * size..group.rows.end * size);
                let values = last.get(group.part(conv.map()));
                for (code, value) in out.chunks_exact_mut(size).zip(values.chunks_exact(conv.map())) {
                    for (code, value) in code.chunks_exact_mut(channels).zip(value.chunks_exact(pitch)) {
                        code.copy_from_slice(&value[..channels]);
                    }
                }
            }
        });
        Ok(())
    }

    fn score(&mut self, batch: Batch<'_>, out: &mut [f32]) -> Result<(), Error> {
        let state = &self.state;
        let classes = state.plan.network.classes();
        length("scores", out.len(), batch.rows.len() * classes)?;
        let out = Parts::new(out);
        sweep(&mut self.pool, batch.rows.len(), &|worker, group| {
            // SAFETY: each worker uses its own slots and scratch; groups' outputs are disjoint.
            unsafe {
                state.forward(worker, batch, group);
                let out = out.get_mut(group.rows.start * classes..group.rows.end * classes);
                for (out, scores) in out.chunks_exact_mut(classes).zip(state.scores(group)) {
                    out.copy_from_slice(&scores[..classes]);
                }
            }
        });
        Ok(())
    }
}

/// Runs `work` on groups of rows, in each worker's own slots.
fn sweep(pool: &mut Pool, rows: usize, work: &(dyn Fn(usize, &Group) + Sync)) {
    round(pool, rows.div_ceil(GROUP), &|worker, index| {
        work(worker, &Group { slot: worker * GROUP, ..Group::of_batch(index, rows) });
    });
}
