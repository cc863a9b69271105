//! Muon: momentum whose matrices are orthogonalised (Jordan et al., "Muon: An optimizer for hidden layers in neural
//! networks", 2024), for matrices and kernels; the other parameters are AdamW's.

use fm_kernels::NewtonSchulz;
use fm_run::spec::Optimizer as Kind;
use fm_train::engine::{Rates, State};
use fm_train::plan::Update;
use tch::{TchError, Tensor};

use super::adam::Adams;
use super::{MOMENTUM, Optimizer, Param, Result, Sums, decay};

/// `b ← μ b + (1-μ) g`, `w ← w - lr · 0.2 √max(rows, columns) · orthogonal((1-μ) g + μ b)`: PyTorch's
/// `Muon(nesterov=True, adjust_lr_fn="match_rms_adamw")`, in single precision. The factor makes an update as large as
/// AdamW's, so that both share a learning rate and a decay (Liu et al., "Muon is Scalable for LLM Training", 2025). A
/// kernel `[out, in, k, k]` is the matrix `[out, in·k·k]`.
#[derive(Debug)]
pub(super) struct Muon {
    update: Update,
    params: Vec<Param>,
    sums: Sums,
    rest: Adams,
}

impl Muon {
    pub(super) fn new(params: Vec<Param>, update: &Update) -> Result<Self> {
        let (params, rest): (Vec<_>, Vec<_>) = params.into_iter().partition(|param| param.tensor.dim() > 1);
        let rest = Adams::new(rest, &Update { optimizer: Kind::AdamW, ..*update })?;
        Ok(Self { update: *update, sums: Sums::zero(&params)?, params, rest })
    }
}

/// The nearest matrix with equal singular values, up to a scale near 1, by a Newton-Schulz iteration of degree five.
fn orthogonal(matrix: &Tensor) -> Result<Tensor, TchError> {
    let (a, b, c) = NewtonSchulz::COEFFICIENTS;
    let size = matrix.size();
    let tall = size[0] > size[1];
    let x = if tall { matrix.f_transpose(0, 1)? } else { matrix.shallow_clone() };
    let mut x = x.f_div(&(x.f_norm()?.f_clamp_min(NewtonSchulz::LEAST)?))?;
    for _ in 0..NewtonSchulz::TURNS {
        let square = x.f_matmul(&x.f_transpose(0, 1)?)?;
        let powers = square.f_mul_scalar(b)?.f_add(&square.f_matmul(&square)?.f_mul_scalar(c)?)?;
        x = x.f_mul_scalar(a)?.f_add(&powers.f_matmul(&x)?)?;
    }
    if tall { x.f_transpose(0, 1) } else { Ok(x) }
}

impl Optimizer for Muon {
    fn step(&mut self, rates: Rates) -> Result<()> {
        let guard = tch::no_grad_guard();
        let momentum = self.update.momentum;
        for (Param { part, tensor, .. }, sum) in self.params.iter_mut().zip(&mut self.sums.0) {
            let (lr, gradient) = (rates.of(*part), tensor.f_grad()?);
            decay(tensor, &self.update, lr)?;
            let _ = sum.f_lerp_(&gradient, 1.0 - momentum)?;
            let size = tensor.size();
            let matrix = gradient.f_lerp(sum, momentum)?.f_reshape([size[0], -1])?;
            let larger = matrix.size().into_iter().max().unwrap_or(1) as usize;
            let step =
                orthogonal(&matrix)?.f_reshape(&size)?.f_mul_scalar(lr * NewtonSchulz::scale(larger))?;
            let _ = tensor.f_sub_(&step)?;
            tensor.zero_grad();
        }
        drop(guard);
        self.rest.step(rates)
    }

    fn state(&self) -> Result<State> {
        let momenta = State::default().with(MOMENTUM, self.sums.state(&self.params)?);
        Ok(momenta.join(self.rest.state()?)?)
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        self.sums.restore(MOMENTUM, &self.params, state)?;
        self.rest.restore(state)
    }
}
