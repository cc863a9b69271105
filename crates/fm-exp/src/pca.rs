//! Principal components (Pearson 1901; Hotelling 1933): the orthogonal directions in which points differ
//! most, from the eigenvectors of their covariance matrix.

use tch::{Device, Kind, TchError, Tensor};

/// Points in the plane of their first two principal components.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pca {
    /// Coordinates, centred, in the input's units.
    pub(crate) points: Vec<(f64, f64)>,
    /// Share of the total variance along each.
    pub(crate) explained: [f64; 2],
    /// Sum of the variances of all coordinates (divided by n - 1).
    pub(crate) total: f64,
}

/// Rows whose products are added at once: their copy in 64 bits stays in tens of megabytes.
const ROWS: usize = 4000;

impl Pca {
    /// Of points `[n, len]`, `len` from 2 on, computed in 64 bits. Signs are such that each direction's
    /// largest entry is positive.
    ///
    /// # Errors
    /// libtorch's own.
    pub(crate) fn new(values: &[f32], len: usize) -> Result<Self, TchError> {
        let n = values.len() / len;
        let matrix = |part: &[f32]| -> Result<Tensor, TchError> {
            let rows = (part.len() / len) as i64;
            Tensor::f_from_slice(part)?.f_view([rows, len as i64])?.f_to_kind(Kind::Double)
        };
        let options = (Kind::Double, Device::Cpu);
        let mut mean = Tensor::f_zeros([len as i64], options)?;
        for part in values.chunks(ROWS * len) {
            mean += matrix(part)?.f_sum_dim_intlist(0, false, Kind::Double)?;
        }
        mean /= n.max(1) as f64;
        let mut covariance = Tensor::f_zeros([len as i64, len as i64], options)?;
        for part in values.chunks(ROWS * len) {
            let centred = matrix(part)?.f_sub(&mean)?;
            covariance += centred.f_tr()?.f_matmul(&centred)?;
        }
        covariance /= n.max(2) as f64 - 1.0;

        // Eigenvalues come in rising order.
        let (variances, directions) = covariance.f_linalg_eigh("L")?;
        let total = f64::try_from(covariance.f_trace()?)?;
        let mut plane = Vec::new();
        let mut explained = [0.0; 2];
        for (i, share) in explained.iter_mut().enumerate() {
            let at = len as i64 - 1 - i as i64;
            let direction = directions.f_select(1, at)?;
            let largest = direction.f_abs()?.f_argmax(0, false)?.f_view(1)?;
            let sign = direction.f_index_select(0, &largest)?.f_sign()?;
            plane.push(direction.f_mul(&sign)?);
            let variance = f64::try_from(variances.f_select(0, at)?)?.max(0.0);
            *share = if total > 0.0 { variance / total } else { 0.0 };
        }
        let plane = Tensor::f_stack(&plane, 1)?;
        let mut points = Vec::with_capacity(n);
        for part in values.chunks(ROWS * len) {
            let placed = Vec::<f64>::try_from(matrix(part)?.f_sub(&mean)?.f_matmul(&plane)?.f_view(-1)?)?;
            points.extend(placed.as_chunks().0.iter().map(|&[x, y]| (x, y)));
        }
        Ok(Self { points, explained, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretched_and_turned_cross_by_hand() {
        // Along (0.6, 0.8, 0) at ±3, along (-0.8, 0.6, 0) at ±1, nothing along z, all moved by (5, 5, 5).
        let at = |a: f32, b: f32| [5.0 + 0.6 * a - 0.8 * b, 5.0 + 0.8 * a + 0.6 * b, 5.0];
        let values: Vec<f32> = [at(3.0, 0.0), at(-3.0, 0.0), at(0.0, 1.0), at(0.0, -1.0)].concat();
        let pca = Pca::new(&values, 3).unwrap();
        let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(close(pca.total, 20.0 / 3.0), "{}", pca.total);
        assert!(close(pca.explained[0], 0.9) && close(pca.explained[1], 0.1), "{:?}", pca.explained);
        // The largest entries, 0.8 of the first and -0.8 of the second, are made positive.
        for (found, (x, y)) in pca.points.iter().zip([(3.0, 0.0), (-3.0, 0.0), (0.0, -1.0), (0.0, 1.0)]) {
            assert!(close(found.0, x) && close(found.1, y), "{found:?} {x} {y}");
        }
    }

    #[test]
    fn points_that_do_not_differ_have_no_direction() {
        let pca = Pca::new(&[2.0; 12], 4).unwrap();
        assert_eq!((pca.explained, pca.points.len()), ([0.0; 2], 3));
        assert!(Pca::new(&[1.0, 2.0], 2).unwrap().total.abs() < 1e-12, "one point");
    }
}
