//! Directions against the iteration as it is written, in double precision.

use super::*;
use crate::Isa;
use crate::kernels::Kernels;

const MOMENTUM: f32 = 0.9;
/// Every momentum before the step.
const OLD: f32 = 1e-4;

/// `rows x cols` by `cols x others`.
fn times(a: &[f64], b: &[f64], (rows, cols, others): (usize, usize, usize)) -> Vec<f64> {
    let of = |at: usize| (0..cols).map(|k| a[at / others * cols + k] * b[k * others + at % others]).sum();
    (0..rows * others).map(of).collect()
}

fn transposed(a: &[f64], (rows, cols): (usize, usize)) -> Vec<f64> {
    (0..rows * cols).map(|at| a[at % rows * cols + at / rows]).collect()
}

/// `x <- a x + (b g + c g²) x`, with `g = x xᵀ`.
fn orthogonal(matrix: &[f64], (rows, cols): (usize, usize)) -> Vec<f64> {
    if rows > cols {
        let of = orthogonal(&transposed(matrix, (rows, cols)), (cols, rows));
        return transposed(&of, (cols, rows));
    }
    let (a, b, c) = NewtonSchulz::COEFFICIENTS;
    let norm = matrix.iter().map(|x| x * x).sum::<f64>().sqrt().max(NewtonSchulz::LEAST);
    let mut x: Vec<f64> = matrix.iter().map(|x| x / norm).collect();
    for _ in 0..NewtonSchulz::TURNS {
        let gram = times(&x, &transposed(&x, (rows, cols)), (rows, cols, rows));
        let square = times(&gram, &gram, (rows, rows, rows));
        let sum: Vec<f64> = gram.iter().zip(&square).map(|(gram, square)| b * gram + c * square).collect();
        let more = times(&sum, &x, (rows, rows, cols));
        x = x.iter().zip(&more).map(|(x, more)| a * x + more).collect();
    }
    x
}

/// Numbers about zero, and of the rank that a gradient may have.
fn made(rows: usize, cols: usize, rank: usize) -> Vec<f32> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24) - 0.5
    };
    let left: Vec<f64> = (0..rows * rank).map(|_| next()).collect();
    let right: Vec<f64> = (0..rank * cols).map(|_| next()).collect();
    times(&left, &right, (rows, rank, cols)).iter().map(|&x| (1e-3 * x) as f32).collect()
}

const SIDES: [(usize, usize); 9] =
    [(1, 16), (16, 1), (1, 1), (5, 9), (48, 432), (432, 48), (33, 100), (100, 33), (16, 16)];

/// Momenta and directions of all matrices, one after the other.
fn run(
    isa: Isa,
    workers: usize,
    momentum: f32,
    gradient: impl Fn(usize, usize) -> Vec<f32>,
) -> Option<(Vec<f32>, Vec<f32>)> {
    let kernels = Kernels::of(isa)?;
    let mut end = 0;
    let matrix = |(rows, cols): (usize, usize)| {
        let at = end;
        end = pad(at + rows * cols);
        Matrix { at, rows, cols, larger: rows.max(cols) }
    };
    let matrices: Vec<Matrix> = SIDES.into_iter().map(matrix).collect();
    let (mut m, mut grad) = (Buffer::new(end).unwrap(), Buffer::new(end).unwrap());
    for Matrix { at, rows, cols, .. } in &matrices {
        grad.all()[*at..at + rows * cols].copy_from_slice(&gradient(*rows, *cols));
        m.all()[*at..at + rows * cols].fill(momentum);
    }
    let mut pool = Pool::new(workers).unwrap();
    let muon = Muon::new(matrices, MOMENTUM, pool.workers()).unwrap();
    muon.run(&mut pool, &Flat { m: &m, grad: &grad, gemm: kernels.gemm });
    Some((m.all().to_vec(), grad.all().to_vec()))
}

#[test]
fn directions_are_those_of_the_iteration() {
    for isa in Isa::ALL {
        // Rounding is amplified 485 times where a matrix has no rank, in single precision.
        for (rank, most) in [(3, 1e-3), (500, 2e-5)] {
            let gradient = |rows, cols| made(rows, cols, rank);
            let Some((momenta, directions)) = run(isa, 2, OLD, gradient) else { continue };
            let mut at = 0;
            for (rows, cols) in SIDES {
                let len = rows * cols;
                let mixed =
                    |(g, m): (&f32, f64)| f64::from(1.0 - MOMENTUM) * f64::from(*g) + f64::from(MOMENTUM) * m;
                let gradient = gradient(rows, cols);
                let momentum: Vec<f64> = gradient.iter().map(|g| mixed((g, f64::from(OLD)))).collect();
                let ahead: Vec<f64> = gradient.iter().zip(&momentum).map(|(g, &m)| mixed((g, m))).collect();
                let wanted = orthogonal(&ahead, (rows, cols));
                for i in 0..len {
                    assert!((f64::from(momenta[at + i]) - momentum[i]).abs() < 1e-9, "{isa}: {rows}x{cols}");
                    let found = f64::from(directions[at + i]) / NewtonSchulz::scale(rows.max(cols));
                    let far = (found - wanted[i]).abs();
                    assert!(far < most, "{isa}: {rows}x{cols} of rank {rank}: {found} and {}", wanted[i]);
                }
                at = pad(at + len);
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    let bits = |workers| {
        let (m, g) = run(Isa::detect(), workers, OLD, |rows, cols| made(rows, cols, 20)).unwrap();
        m.into_iter().chain(g).map(f32::to_bits).collect::<Vec<_>>()
    };
    let one = bits(1);
    for workers in [2, 3, 4, 7] {
        assert!(bits(workers) == one, "{workers} threads");
    }
}

#[test]
fn a_gradient_of_zeros_moves_nothing() {
    let (momenta, directions) = run(Isa::detect(), 2, 0.0, |rows, cols| vec![0.0; rows * cols]).unwrap();
    assert!(momenta.iter().chain(&directions).all(|x| x.to_bits() == 0), "zeros stay zeros");
}
