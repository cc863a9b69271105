//! Weights to the frequencies of Winograd's form.

use super::conv::Block;
use super::winograd::{FREQUENCIES, INPUTS, share};
use crate::simd::Simd;

/// Transforms the weights of a pass, those of several channels at a time.
pub(crate) struct Filters<'a> {
    /// Side of the kernel: 3 or 5.
    pub(crate) side: usize,
    /// The tensor, the distances from one output channel to the next and from one input channel to the next, and where in
    /// such a square each tap is.
    pub(crate) weights: &'a [f32],
    pub(crate) pitch: (usize, usize),
    pub(crate) place: &'a [usize],
    /// Factor of each output channel, or none.
    pub(crate) factors: Option<&'a [f32]>,
    pub(crate) blocks: &'a [Block],
    pub(crate) depth: usize,
    /// `[frequency down][frequency along][block][input channel][width]`.
    pub(crate) to: &'a mut [f32],
}

/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(crate) unsafe fn filters<S: Simd>(args: Filters<'_>) {
    // SAFETY: as promised by the caller.
    unsafe {
        match args.side {
            3 => each::<S, 3, 9>(args),
            _ => each::<S, 5, 25>(args),
        }
    }
}

/// For kernels of `K` by `K`, that is `T` taps.
///
/// # Safety
/// As for [`filters`].
#[inline(always)]
unsafe fn each<S: Simd, const K: usize, const T: usize>(args: Filters<'_>) {
    let plane = args.to.len() / FREQUENCIES;
    let mut shares = [[0.0; K]; INPUTS];
    for (frequency, shares) in shares.iter_mut().enumerate() {
        for (tap, to) in shares.iter_mut().enumerate() {
            *to = share(frequency, tap, K);
        }
    }
    for block in args.blocks {
        let count = args.depth * block.width;
        for first in (0..count).step_by(S::N) {
            let some = S::N.min(count - first);
            // By tap, then by input and output channel as they will lie.
            let mut taps = [[0.0_f32; 16]; T];
            for lane in 0..some {
                let (deep, out) = ((first + lane) / block.width, block.first + (first + lane) % block.width);
                let square = &args.weights[out * args.pitch.0 + deep * args.pitch.1..][..T];
                let factor = args.factors.map_or(1.0, |factors| factors[out]);
                for (taps, &place) in taps.iter_mut().zip(args.place) {
                    taps[lane] = square[place] * factor;
                }
            }
            let to = &mut args.to[block.at + first..];
            // SAFETY: the instruction set is there, says the caller; a vector has room in the arrays.
            unsafe {
                let mut rows = [[S::splat(0.0); INPUTS]; K];
                for row in 0..K {
                    for f in 0..INPUTS {
                        for col in 0..K {
                            let w = S::load(taps[row * K + col].as_ptr());
                            rows[row][f] = S::fma(S::splat(shares[f][col]), w, rows[row][f]);
                        }
                    }
                }
                for down in 0..INPUTS {
                    for f in 0..INPUTS {
                        let mut sum = S::splat(0.0);
                        for row in 0..K {
                            sum = S::fma(S::splat(shares[down][row]), rows[row][f], sum);
                        }
                        let to = &mut to[(down * INPUTS + f) * plane..][..some];
                        if some == S::N {
                            S::store(to.as_mut_ptr(), sum);
                        } else {
                            let mut lanes = [0.0_f32; 16];
                            S::store(lanes.as_mut_ptr(), sum);
                            to.copy_from_slice(&lanes[..some]);
                        }
                    }
                }
            }
        }
    }
}
