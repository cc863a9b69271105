//! A register-tiled matrix product for small matrices that fit the caches.
//!
//! Every element of the result is one sum over `k` in ascending order, whatever the tile it falls
//! into: the result of a row does not depend on how many rows are computed with it.

use crate::simd::Simd;

/// `c = a * b`, or `c = bias + a * b`.
pub(crate) struct Gemm<'a> {
    /// Rows of `a` and `c`.
    pub(crate) m: usize,
    /// Columns of `b` and `c`: a multiple of sixteen.
    pub(crate) n: usize,
    /// The common side.
    pub(crate) k: usize,
    pub(crate) a: &'a [f32],
    /// Distances in `a` between rows and between columns.
    pub(crate) a_pitch: (usize, usize),
    pub(crate) b: &'a [f32],
    pub(crate) b_pitch: usize,
    pub(crate) c: &'a mut [f32],
    pub(crate) c_pitch: usize,
    pub(crate) bias: Option<&'a [f32]>,
}

/// One tile's pointers.
#[derive(Clone, Copy)]
struct Tile {
    k: usize,
    a: *const f32,
    a_pitch: (usize, usize),
    b: *const f32,
    b_pitch: usize,
    c: *mut f32,
    c_pitch: usize,
    bias: *const f32,
}

/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(crate) unsafe fn run<S: Simd>(args: Gemm<'_>) {
    let Gemm { m, n, k, a, a_pitch, b, b_pitch, c, c_pitch, bias } = args;
    if m == 0 || n == 0 {
        return;
    }
    assert!(n.is_multiple_of(16) && k > 0, "product {m}x{n}x{k}");
    assert!(a.len() > (m - 1) * a_pitch.0 + (k - 1) * a_pitch.1, "a of {m}x{k}");
    assert!(b.len() >= (k - 1) * b_pitch + n, "b of {k}x{n}");
    assert!(c.len() >= (m - 1) * c_pitch + n, "c of {m}x{n}");
    assert!(bias.is_none_or(|bias| bias.len() >= n), "bias of {n}");
    let bias = bias.map_or(std::ptr::null(), <[f32]>::as_ptr);
    let tile = Tile { k, a: a.as_ptr(), a_pitch, b: b.as_ptr(), b_pitch, c: c.as_mut_ptr(), c_pitch, bias };
    let vectors = n / S::N;
    let mut done = 0;
    while done < vectors {
        let left = vectors - done;
        let at = done * S::N;
        // SAFETY: `at` is below n; the strip's width stays within the vectors left.
        unsafe {
            let strip = Tile {
                b: tile.b.add(at),
                c: tile.c.add(at),
                bias: if bias.is_null() { bias } else { bias.add(at) },
                ..tile
            };
            if S::WIDE >= 4 && left >= 4 {
                rows::<S, 4>(m, strip);
                done += 4;
            } else if S::WIDE >= 2 && left >= 2 {
                rows::<S, 2>(m, strip);
                done += 2;
            } else {
                rows::<S, 1>(m, strip);
                done += 1;
            }
        }
    }
}

/// A strip of `W` vectors, in tiles of up to six rows, as equal as they can be.
///
/// # Safety
/// As for [`product`], for `m` rows of `a` and `c`.
#[inline(always)]
unsafe fn rows<S: Simd, const W: usize>(m: usize, strip: Tile) {
    let mut row = 0;
    while row < m {
        let left = m - row;
        let high = left.div_ceil(left.div_ceil(6));
        // SAFETY: rows `row..row + high` are within m.
        unsafe {
            let tile =
                Tile { a: strip.a.add(row * strip.a_pitch.0), c: strip.c.add(row * strip.c_pitch), ..strip };
            match high {
                1 => product::<S, 1, W>(tile),
                2 => product::<S, 2, W>(tile),
                3 => product::<S, 3, W>(tile),
                4 => product::<S, 4, W>(tile),
                5 => product::<S, 5, W>(tile),
                _ => product::<S, 6, W>(tile),
            }
        }
        row += high;
    }
}

/// `M` rows of `W` vectors of the product.
///
/// # Safety
/// The instruction set is there. For the tile's pitches, `M` rows of `k` floats lie behind `a`, `k` rows of `W` vectors
/// behind `b`, and `M` rows of `W` vectors, unaliased, behind `c`; behind `bias` `W` vectors, or it is null.
#[inline(always)]
unsafe fn product<S: Simd, const M: usize, const W: usize>(tile: Tile) {
    // SAFETY: the tile lies within the matrices that `run` checked.
    unsafe {
        let mut sums = [[S::splat(0.0); W]; M];
        if !tile.bias.is_null() {
            for row in &mut sums {
                for (w, sum) in row.iter_mut().enumerate() {
                    *sum = S::load(tile.bias.add(w * S::N));
                }
            }
        }
        let (mut a, mut b) = (tile.a, tile.b);
        for _ in 0..tile.k {
            let mut right = [S::splat(0.0); W];
            for (w, right) in right.iter_mut().enumerate() {
                *right = S::load(b.add(w * S::N));
            }
            for (i, row) in sums.iter_mut().enumerate() {
                let left = S::splat(*a.add(i * tile.a_pitch.0));
                for (sum, &right) in row.iter_mut().zip(&right) {
                    *sum = S::fma(left, right, *sum);
                }
            }
            a = a.wrapping_add(tile.a_pitch.1);
            b = b.wrapping_add(tile.b_pitch);
        }
        for (i, row) in sums.iter().enumerate() {
            for (w, &sum) in row.iter().enumerate() {
                S::store(tile.c.add(i * tile.c_pitch + w * S::N), sum);
            }
        }
    }
}
