//! Muon: momentum whose matrices are orthogonalised (Jordan et al., "Muon: An optimizer for hidden layers in neural
//! networks", 2024), by a Newton-Schulz iteration.
//!
//! The iteration multiplies a matrix `x` of `[long][short]` by polynomials of `xᵀx`, which all commute. So it runs on
//! matrices of the short side alone, `[short][short]`, and `x` takes part in the first product and in the last:
//!
//! ```text
//! g = xᵀx;   five times: p = a + b g + c g²,  q = q p,  g = g p p;   x q
//! ```
//!
//! All squares are symmetric: half of each is computed, and mirrored. Rounds go over pieces of all matrices; every
//! element is one sum in one order, whoever computes it.

mod work;

#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::Error;
use crate::buffer::Buffer;
use crate::kernels::gemm::Gemm;
use crate::plan::{LANES, pad};
use crate::pool::Pool;
use crate::worker::round;
use work::{Square, Work};

/// The iteration's numbers, which are Jordan's.
#[derive(Debug, Clone, Copy)]
pub struct NewtonSchulz;

impl NewtonSchulz {
    /// How often it is done.
    pub const TURNS: usize = 5;
    /// `a`, `b` and `c` of `x <- x (a + b xᵀx + c (xᵀx)²)`.
    pub const COEFFICIENTS: (f64, f64, f64) = (3.4445, -4.7750, 2.0315);
    /// The least Frobenius norm that a matrix is divided by first.
    pub const LEAST: f64 = 1e-7;

    /// What an orthogonal matrix is multiplied by, so that an update is as large as Adam's (Liu et al., "Muon is
    /// Scalable for LLM Training", arXiv:2502.16982, 2025).
    #[must_use]
    pub fn scale(larger_side: usize) -> f64 {
        0.2 * (larger_side as f64).sqrt()
    }
}

/// Rows of a square matrix, and of a long one, that are one piece.
const SQUARE: usize = LANES;
const LONG: usize = 96;

/// Where a matrix `[rows][cols]` lies in the flat vectors of parameters, momenta and gradients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix {
    pub(crate) at: usize,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// The larger side without what pads it.
    pub(crate) larger: usize,
}

impl Matrix {
    fn tall(&self) -> bool {
        self.rows > self.cols
    }

    fn short(&self) -> usize {
        self.rows.min(self.cols)
    }

    fn long(&self) -> usize {
        self.rows.max(self.cols)
    }

    /// From a row of the short side to the next: zeros behind, which stay zeros.
    fn pitch(&self) -> usize {
        pad(self.short())
    }

    /// Its own rows in a piece: as many values as in a piece of a long side.
    fn height(&self) -> usize {
        (LONG * self.short()).div_ceil(self.cols)
    }
}

/// The matrices of one phase.
pub(crate) struct Muon {
    momentum: f32,
    works: Vec<Work>,
    /// Pieces of the matrices' own rows, of their long sides, of their squares.
    rows: Vec<(usize, Range<usize>)>,
    long: Vec<(usize, Range<usize>)>,
    square: Vec<(usize, Range<usize>)>,
    /// A worker's: rows of a square that it computes.
    spare: Vec<Buffer<f32>>,
}

/// The flat vectors that a step reads and writes, and the product that it computes with.
pub(crate) struct Flat<'a> {
    pub(crate) m: &'a Buffer<f32>,
    pub(crate) grad: &'a Buffer<f32>,
    pub(crate) gemm: unsafe fn(Gemm<'_>),
}

fn pieces(
    works: &[Work],
    rows: impl Fn(&Matrix) -> usize,
    size: impl Fn(&Matrix) -> usize,
) -> Vec<(usize, Range<usize>)> {
    let of = |(index, work): (usize, &Work)| {
        let (rows, size) = (rows(&work.matrix), size(&work.matrix));
        (0..rows).step_by(size).map(move |start| (index, start..rows.min(start + size))).collect::<Vec<_>>()
    };
    works.iter().enumerate().flat_map(of).collect()
}

impl Muon {
    /// # Errors
    /// [`Error::Memory`] when there is no room.
    pub(crate) fn new(matrices: Vec<Matrix>, momentum: f32, workers: usize) -> Result<Self, Error> {
        let widest = matrices.iter().map(Matrix::pitch).max().unwrap_or(0);
        let works = matrices.into_iter().map(Work::new).collect::<Result<Vec<_>, Error>>()?;
        Ok(Self {
            momentum,
            rows: pieces(&works, |matrix| matrix.rows, Matrix::height),
            long: pieces(&works, Matrix::long, |_| LONG),
            square: pieces(&works, Matrix::short, |_| SQUARE),
            spare: (0..workers).map(|_| Buffer::new(SQUARE * widest)).collect::<Result<_, Error>>()?,
            works,
        })
    }

    /// Takes every matrix's gradient into its momentum, and leaves in the gradient's place what is to be subtracted
    /// from the matrix, times the learning rate.
    pub(crate) fn run(&self, pool: &mut Pool, flat: &Flat<'_>) {
        type Piece<'a> = dyn Fn(&Work, Range<usize>, &Buffer<f32>) + Sync + 'a;
        let each = |pool: &mut Pool, pieces: &[(usize, Range<usize>)], work: &Piece<'_>| {
            round(pool, pieces.len(), &|worker, task| {
                let (index, rows) = &pieces[task];
                work(&self.works[*index], rows.clone(), &self.spare[worker]);
            });
        };
        each(pool, &self.rows, &|work, rows, _| work.average(flat, self.momentum, rows));
        each(pool, &self.long, &|work, rows, _| work.scale(rows));
        each(pool, &self.square, &|work, rows, spare| work.gram(flat, rows, spare));
        let (mut held, mut free) = (Square::Product, Square::Next);
        for turn in 0..NewtonSchulz::TURNS {
            let last = turn + 1 == NewtonSchulz::TURNS;
            each(pool, &self.square, &|work, rows, spare| work.polynomial(flat, rows, spare));
            each(pool, &self.square, &|work, rows, spare| {
                if turn == 0 {
                    work.copy(Square::Polynomial, free, rows.clone());
                } else {
                    work.product(flat, (held, Square::Polynomial, free), rows.clone(), spare);
                }
                if !last {
                    work.product(flat, (Square::Gram, Square::Polynomial, Square::Between), rows, spare);
                }
            });
            (held, free) = (free, held);
            if !last {
                each(pool, &self.square, &|work, rows, spare| {
                    work.product(flat, (Square::Between, Square::Polynomial, Square::Gram), rows, spare);
                });
            }
        }
        each(pool, &self.long, &|work, rows, _| work.apply(flat, held, rows));
        each(pool, &self.rows, &|work, rows, _| work.store(flat, rows));
    }
}
