//! Both backward products of a convolution, over lists of nonzero gradients.

use super::route::Entry;
use crate::plan::LANES;
use crate::simd::Simd;

/// Data gradient of one image for sixteen of its input channels.
pub(crate) struct Scatter<'a> {
    /// Gradient of the pooled map, `[windows][outputs]`.
    pub(crate) gradient: &'a [f32],
    /// `[windows][4][outputs]`: the surviving channels.
    pub(crate) entries: &'a [u32],
    /// `[windows][4]`.
    pub(crate) counts: &'a [u32],
    /// `[outputs][9][16]`: the weights towards these input channels.
    pub(crate) slab: &'a [f32],
    pub(crate) outputs: usize,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// All input channels.
    pub(crate) inputs: usize,
    /// First of the sixteen.
    pub(crate) first: usize,
    /// `[2 * rows + 2][2 * cols + 2][inputs]`, added to.
    pub(crate) out: &'a mut [f32],
}

/// # Safety
/// The instruction set is there; every entry is below `outputs`.
#[inline(always)]
pub(crate) unsafe fn scatter<S: Simd>(args: Scatter<'_>) {
    let Scatter { gradient, entries, counts, slab, outputs, rows, cols, inputs, first, out } = args;
    let line = (2 * cols + 2) * inputs;
    assert!(entries.len() >= rows * cols * 4 * outputs && counts.len() >= rows * cols * 4, "lists");
    assert!(gradient.len() >= rows * cols * outputs, "gradient of {rows}x{cols} windows");
    assert!(counts.iter().all(|&count| count as usize <= outputs), "a list is longer than its room");
    assert!(slab.len() >= outputs * 9 * LANES, "slab of {outputs}");
    assert!(first + LANES <= inputs && out.len() >= (2 * rows + 2) * line, "{rows}x{cols} windows");
    for lane in (0..LANES).step_by(S::N) {
        for window in 0..rows * cols {
            // SAFETY: the 4x4 patch and the lists are within the checked lengths; so are the weights,
            // by the caller's promise.
            unsafe {
                let weights = slab.as_ptr().add(lane);
                let corner = window / cols * 2 * line + window % cols * 2 * inputs + first + lane;
                let to = out.as_mut_ptr().add(corner);
                let g = gradient.as_ptr().add(window * outputs);
                let mut patch = [[S::splat(0.0); 4]; 4];
                for (y, row) in patch.iter_mut().enumerate() {
                    for (x, sum) in row.iter_mut().enumerate() {
                        *sum = S::load(to.add(y * line + x * inputs));
                    }
                }
                let list = |place: usize| {
                    let start = (window * 4 + place) * outputs;
                    let count = *counts.get_unchecked(window * 4 + place) as usize;
                    entries.get_unchecked(start..start + count)
                };
                corner_sum::<S, 0, 0>(&mut patch, list(0), g, weights);
                corner_sum::<S, 0, 1>(&mut patch, list(1), g, weights);
                corner_sum::<S, 1, 0>(&mut patch, list(2), g, weights);
                corner_sum::<S, 1, 1>(&mut patch, list(3), g, weights);
                for (y, row) in patch.iter().enumerate() {
                    for (x, &sum) in row.iter().enumerate() {
                        S::store(to.add(y * line + x * inputs), sum);
                    }
                }
            }
        }
    }
}

/// Adds `g * weights` at one corner of the patch, for every channel of a list.
///
/// # Safety
/// The instruction set is there. For every channel of the list, a float lies behind `gradient` and nine vectors, 16
/// floats apart, behind `weights`; `DOWN` and `RIGHT` are below 2.
#[inline(always)]
unsafe fn corner_sum<S: Simd, const DOWN: usize, const RIGHT: usize>(
    patch: &mut [[S::V; 4]; 4],
    list: &[u32],
    gradient: *const f32,
    weights: *const f32,
) {
    for &channel in list {
        let channel = channel as usize;
        // SAFETY: the channel's gradient, and nine vectors of weights, sixteen floats apart.
        unsafe {
            let g = S::splat(*gradient.add(channel));
            let weights = weights.add(channel * (9 * LANES));
            for y in 0..3 {
                for x in 0..3 {
                    let sum = &mut patch[DOWN + y][RIGHT + x];
                    *sum = S::fma(g, S::load(weights.add((y * 3 + x) * LANES)), *sum);
                }
            }
        }
    }
}

/// Weight gradient of sixteen output channels from one block of images.
pub(crate) struct Patches<'a> {
    /// `[16][room]`.
    pub(crate) entries: &'a [Entry],
    /// `[16]`.
    pub(crate) counts: &'a [u32],
    pub(crate) room: usize,
    /// The block's inputs.
    pub(crate) input: &'a [f32],
    /// Floats between two rows of an input.
    pub(crate) line: usize,
    /// Input channels.
    pub(crate) inputs: usize,
    /// `[16][9][inputs]`.
    pub(crate) weights: &'a mut [f32],
    /// `[16]`.
    pub(crate) bias: &'a mut [f32],
    /// The first block overwrites, later ones add.
    pub(crate) fresh: bool,
}

/// # Safety
/// The instruction set is there; every entry's patch lies within the input.
#[inline(always)]
pub(crate) unsafe fn patches<S: Simd>(args: Patches<'_>) {
    let Patches { entries, counts, room, input, line, inputs, weights, bias, fresh } = args;
    let run = 3 * inputs;
    assert!(entries.len() >= LANES * room && inputs.is_multiple_of(LANES), "{inputs} inputs");
    assert!(weights.len() >= LANES * 3 * run && bias.len() >= LANES && counts.len() >= LANES, "outputs");
    assert!(input.len() >= 2 * line + run, "input of {}", input.len());
    for channel in 0..LANES {
        let list = &entries[channel * room..][..counts[channel] as usize];
        let mut total = if fresh { 0.0 } else { bias[channel] };
        let mut done = 0;
        while done < run {
            // SAFETY: the columns `done..` of the three runs are within the channel's weights, and
            // within the patches by the caller's promise.
            unsafe {
                let from = input.as_ptr().add(done);
                let to = weights.as_mut_ptr().add(channel * 3 * run + done);
                let sum = if done == 0 { Some(&mut total) } else { None };
                if S::RUN >= 6 && run - done >= 6 * S::N {
                    runs::<S, 6>(list, from, line, to, run, fresh, sum);
                    done += 6 * S::N;
                } else {
                    runs::<S, 3>(list, from, line, to, run, fresh, sum);
                    done += 3 * S::N;
                }
            }
        }
        bias[channel] = total;
    }
}

/// `R` vectors of each of a patch's three runs, accumulated in registers over the list.
///
/// # Safety
/// The instruction set is there. Behind `from`, for every entry of the list, lie three runs of `R` vectors, `line` apart,
/// at the entry's offset; behind `to` three, `run` apart, unaliased.
#[inline(always)]
unsafe fn runs<S: Simd, const R: usize>(
    list: &[Entry],
    from: *const f32,
    line: usize,
    to: *mut f32,
    run: usize,
    fresh: bool,
    total: Option<&mut f32>,
) {
    // SAFETY: the caller has checked all that is read and written.
    unsafe {
        let mut all = S::splat(0.0);
        let mut sums = [[S::splat(0.0); R]; 3];
        if !fresh {
            for (y, row) in sums.iter_mut().enumerate() {
                for (x, sum) in row.iter_mut().enumerate() {
                    *sum = S::load(to.add(y * run + x * S::N));
                }
            }
        }
        for entry in list {
            let g = S::splat(entry.g);
            let patch = from.add(entry.at as usize);
            // The bias' gradient, in every lane: additions have ports of their own.
            all = S::add(all, g);
            for (y, row) in sums.iter_mut().enumerate() {
                for (x, sum) in row.iter_mut().enumerate() {
                    *sum = S::fma(g, S::load(patch.add(y * line + x * S::N)), *sum);
                }
            }
        }
        if let Some(total) = total {
            let mut lanes = [0.0; LANES];
            S::store(lanes.as_mut_ptr(), all);
            *total += lanes[0];
        }
        for (y, row) in sums.iter().enumerate() {
            for (x, &sum) in row.iter().enumerate() {
                S::store(to.add(y * run + x * S::N), sum);
            }
        }
    }
}
