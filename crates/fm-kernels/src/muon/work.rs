//! One matrix of [`Muon`](super::Muon): the memory of its iteration, and each round's work on a piece of it.

use std::ops::Range;

use super::{Flat, Matrix, NewtonSchulz};
use crate::Error;
use crate::buffer::Buffer;
use crate::kernels::gemm::Gemm;

/// What a matrix is multiplied with, in turn.
#[derive(Clone, Copy)]
pub(super) enum Square {
    Gram,
    Polynomial,
    Between,
    Product,
    Next,
}

/// A matrix and what its iteration needs.
pub(super) struct Work {
    pub(super) matrix: Matrix,
    /// `[long][pitch]`, and the same times the product.
    x: Buffer<f32>,
    out: Buffer<f32>,
    /// By [`Square`], `[short][pitch]` each.
    squares: [Buffer<f32>; 5],
    /// A piece of `x` each: the sum of its squares.
    sums: Buffer<f64>,
}

/// The sum of squares, in eight parts.
fn squares(values: &[f32]) -> f64 {
    let mut sums = [0.0_f64; 8];
    for values in values.chunks(8) {
        for (sum, &value) in sums.iter_mut().zip(values) {
            *sum += f64::from(value) * f64::from(value);
        }
    }
    sums.iter().sum()
}

/// Each piece of a round is one task's, and writes what no other one of the round reads or writes.
impl Work {
    /// # Errors
    /// [`Error::Memory`] when there is no room.
    pub(super) fn new(matrix: Matrix) -> Result<Self, Error> {
        let square = || Buffer::new(matrix.short() * matrix.pitch());
        Ok(Self {
            matrix,
            x: Buffer::new(matrix.long() * matrix.pitch())?,
            out: Buffer::new(matrix.long() * matrix.pitch())?,
            squares: [square()?, square()?, square()?, square()?, square()?],
            sums: Buffer::new(matrix.rows.div_ceil(matrix.height()))?,
        })
    }

    fn whole(buffer: &Buffer<f32>) -> &[f32] {
        // SAFETY: written in rounds before this one alone.
        unsafe { buffer.get(0..buffer.len()) }
    }

    #[expect(clippy::mut_from_ref, reason = "rows of shared buffers, which are one piece's")]
    fn part<'a>(&self, buffer: &'a Buffer<f32>, rows: &Range<usize>) -> &'a mut [f32] {
        let pitch = self.matrix.pitch();
        // SAFETY: these rows are the piece's.
        unsafe { buffer.get_mut(rows.start * pitch..rows.end * pitch) }
    }

    fn square(&self, which: Square) -> &Buffer<f32> {
        &self.squares[which as usize]
    }

    /// A range of the flat vectors: some of the matrix's own rows.
    fn range(&self, rows: &Range<usize>) -> Range<usize> {
        let Matrix { at, cols, .. } = self.matrix;
        at + rows.start * cols..at + rows.end * cols
    }

    /// `b <- momentum b + (1 - momentum) g`, and `x` is `(1 - momentum) g + momentum b`, the long side first.
    pub(super) fn average(&self, flat: &Flat<'_>, momentum: f32, rows: Range<usize>) {
        let (range, Matrix { cols, .. }) = (self.range(&rows), self.matrix);
        let pitch = self.matrix.pitch();
        // SAFETY: these rows are the piece's, in the flat vectors and in `x`.
        unsafe {
            let (m, g) = (flat.m.get_mut(range.clone()), flat.grad.get_mut(range));
            for (m, g) in m.iter_mut().zip(&mut *g) {
                *m += (1.0 - momentum) * (*g - *m);
                *g += momentum * (*m - *g);
            }
            let piece = rows.start / self.matrix.height();
            self.sums.get_mut(piece..piece + 1)[0] = squares(g);
            for (row, g) in rows.zip(g.chunks_exact(cols)) {
                if self.matrix.tall() {
                    self.x.get_mut(row * pitch..row * pitch + cols).copy_from_slice(g);
                } else {
                    for (col, &g) in g.iter().enumerate() {
                        *self.x.start().add(col * pitch + row) = g;
                    }
                }
            }
        }
    }

    /// Divides `x` by its norm.
    pub(super) fn scale(&self, rows: Range<usize>) {
        // SAFETY: the sums are done.
        let sum: f64 = unsafe { self.sums.get(0..self.sums.len()) }.iter().sum();
        let by = (1.0 / sum.sqrt().max(NewtonSchulz::LEAST)) as f32;
        self.part(&self.x, &rows).iter_mut().for_each(|x| *x *= by);
    }

    /// Rows of a symmetric product `a b`, from the diagonal on, and their mirror image. `finish` is given each row, from
    /// the piece's first column on.
    fn symmetric(
        &self,
        flat: &Flat<'_>,
        (a, a_pitch, b, k): (&[f32], (usize, usize), &[f32], usize),
        to: Square,
        rows: Range<usize>,
        spare: &Buffer<f32>,
        finish: impl Fn(usize, &mut [f32]),
    ) {
        let pitch = self.matrix.pitch();
        let width = pitch - rows.start;
        // SAFETY: the spare rows are the worker's.
        let product = unsafe { spare.get_mut(0..rows.len() * width) };
        // SAFETY: the kernel is one that the CPU can run.
        unsafe {
            (flat.gemm)(Gemm {
                m: rows.len(),
                n: width,
                k,
                a,
                a_pitch,
                b: &b[rows.start..],
                b_pitch: pitch,
                c: &mut *product,
                c_pitch: width,
                bias: None,
            });
        }
        let to = self.square(to);
        for (row, product) in rows.clone().zip(product.chunks_exact(width)) {
            // SAFETY: these rows from the diagonal on are the piece's.
            let own = unsafe { to.get_mut(row * pitch + rows.start..(row + 1) * pitch) };
            own.copy_from_slice(product);
            finish(row, own);
        }
        // Of rows below: columns before those that are theirs.
        for below in rows.end..self.matrix.short() {
            let at = below * pitch;
            // SAFETY: these columns below the rows are the piece's, and the rows are done.
            unsafe {
                let mirrored = to.get_mut(at + rows.start..at + rows.end);
                for (row, mirrored) in rows.clone().zip(mirrored) {
                    *mirrored = *to.start().add(row * pitch + below);
                }
            }
        }
    }

    /// Rows of `xᵀx`.
    pub(super) fn gram(&self, flat: &Flat<'_>, rows: Range<usize>, spare: &Buffer<f32>) {
        let x = Self::whole(&self.x);
        let factors = (&x[rows.start..], (1, self.matrix.pitch()), x, self.matrix.long());
        self.symmetric(flat, factors, Square::Gram, rows, spare, |_, _| ());
    }

    /// Rows of the product of two squares.
    pub(super) fn product(
        &self,
        flat: &Flat<'_>,
        (from, by, to): (Square, Square, Square),
        rows: Range<usize>,
        spare: &Buffer<f32>,
    ) {
        self.polynomials(flat, (from, by, to), rows, spare, |_, _| ());
    }

    fn polynomials(
        &self,
        flat: &Flat<'_>,
        (from, by, to): (Square, Square, Square),
        rows: Range<usize>,
        spare: &Buffer<f32>,
        finish: impl Fn(usize, &mut [f32]),
    ) {
        let (pitch, short) = (self.matrix.pitch(), self.matrix.short());
        let from = &Self::whole(self.square(from))[rows.start * pitch..];
        let factors = (from, (pitch, 1), Self::whole(self.square(by)), short);
        self.symmetric(flat, factors, to, rows, spare, finish);
    }

    /// Rows of `a + b g + c g²`.
    pub(super) fn polynomial(&self, flat: &Flat<'_>, rows: Range<usize>, spare: &Buffer<f32>) {
        let (a, b, c) = NewtonSchulz::COEFFICIENTS;
        let pitch = self.matrix.pitch();
        let gram = Self::whole(self.square(Square::Gram));
        let names = (Square::Gram, Square::Gram, Square::Polynomial);
        let start = rows.start;
        self.polynomials(flat, names, rows, spare, |row, values| {
            let gram = &gram[row * pitch + start..];
            // The terms cancel in part.
            let both = |gram: f32, square: f32| b * f64::from(gram) + c * f64::from(square);
            let diagonal = a + both(gram[row - start], values[row - start]);
            for (value, &gram) in values.iter_mut().zip(gram) {
                *value = both(gram, *value) as f32;
            }
            values[row - start] = diagonal as f32;
        });
    }

    pub(super) fn copy(&self, from: Square, to: Square, rows: Range<usize>) {
        let pitch = self.matrix.pitch();
        let from = &Self::whole(self.square(from))[rows.start * pitch..rows.end * pitch];
        self.part(self.square(to), &rows).copy_from_slice(from);
    }

    /// Rows of `x` times the product.
    pub(super) fn apply(&self, flat: &Flat<'_>, product: Square, rows: Range<usize>) {
        let pitch = self.matrix.pitch();
        // SAFETY: the kernel is one that the CPU can run.
        unsafe {
            (flat.gemm)(Gemm {
                m: rows.len(),
                n: pitch,
                k: self.matrix.short(),
                a: &Self::whole(&self.x)[rows.start * pitch..],
                a_pitch: (pitch, 1),
                b: Self::whole(self.square(product)),
                b_pitch: pitch,
                c: self.part(&self.out, &rows),
                c_pitch: pitch,
                bias: None,
            });
        }
    }

    /// Puts it where the gradient was.
    pub(super) fn store(&self, flat: &Flat<'_>, rows: Range<usize>) {
        let (range, scale) = (self.range(&rows), NewtonSchulz::scale(self.matrix.larger) as f32);
        let (cols, pitch, out) = (self.matrix.cols, self.matrix.pitch(), Self::whole(&self.out));
        // SAFETY: these rows are the piece's.
        let g = unsafe { flat.grad.get_mut(range) };
        for (row, g) in rows.zip(g.chunks_exact_mut(cols)) {
            if self.matrix.tall() {
                for (g, out) in g.iter_mut().zip(&out[row * pitch..]) {
                    *g = scale * out;
                }
            } else {
                for (g, out) in g.iter_mut().zip(out[row..].iter().step_by(pitch)) {
                    *g = scale * out;
                }
            }
        }
    }
}
