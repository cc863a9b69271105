//! What both engines of this project's own kernels say in the same way: tensors one after the other, an optimizer's
//! state by name, a phase as a recipe.

use fm_kernels::{Method, Moments, Recipe};
use fm_net::{NamedTensor, Network, Scope};
use fm_run::error::{Error, Kind, Result};
use fm_run::spec::Optimizer;
use fm_train::engine::State;
use fm_train::plan::{Phase, Update};

/// The optimizer in the kernels' words.
fn method(update: &Update) -> Method {
    match update.optimizer {
        Optimizer::Adam => Method::KERAS,
        Optimizer::AdamW => Method::PYTORCH,
        Optimizer::Sgd => Method::Sgd { momentum: update.momentum },
        Optimizer::Muon => Method::Muon { momentum: update.momentum },
    }
}

/// How a phase trains, in the kernels' words.
pub(crate) fn recipe(phase: &Phase) -> Recipe {
    let update = &phase.update;
    Recipe {
        lr_encoder: phase.encoder_lr,
        lr_head: phase.lr,
        method: method(update),
        weight_decay: update.weight_decay,
        decay_all: update.decay_all,
        smoothing: phase.label_smoothing,
        average: phase.ema,
        scope: match phase.scope {
            Scope::All => fm_kernels::Scope::All,
            Scope::Encoder => fm_kernels::Scope::Encoder,
            Scope::Head => fm_kernels::Scope::Head,
        },
    }
}

/// Every tensor in canonical order, one after the other: the order that the kernels use too.
pub(crate) fn flat(network: &Network, weights: &[NamedTensor]) -> Vec<f32> {
    let of = |name: &str| weights.iter().find(|w| w.name == name).map_or(&[][..], |w| &w.data);
    network.tensors().flat_map(|t| of(&t.name)).copied().collect()
}

/// Values of all tensors.
pub(crate) fn values(network: &Network) -> u64 {
    network.tensors().map(|t| t.count() as u64).sum()
}

/// The inverse of [`flat`].
pub(crate) fn named(network: &Network, mut values: &[f32]) -> Vec<NamedTensor> {
    let take = |t: &fm_net::TensorSpec| {
        let (data, rest) = values.split_at(t.count());
        values = rest;
        NamedTensor { name: t.name.clone(), shape: t.shape.clone(), data: data.to_vec() }
    };
    network.tensors().map(take).collect()
}

/// The groups of a checkpoint in which an optimizer keeps what the kernels call first moments, and whether it keeps
/// second ones. Names are those of the eager engine's optimizers.
fn groups(optimizer: Optimizer) -> (&'static [&'static str], bool) {
    match optimizer {
        Optimizer::Adam | Optimizer::AdamW => (&["m"], true),
        Optimizer::Sgd => (&["momentum"], false),
        // Of matrices, and of what is Adam's.
        Optimizer::Muon => (&["momentum", "m"], true),
    }
}

/// All that training changes.
pub(crate) fn state(
    network: &Network,
    weights: Vec<NamedTensor>,
    Moments { m, v, step }: Moments,
    average: Option<Vec<NamedTensor>>,
    optimizer: Optimizer,
) -> State {
    let (first, second) = groups(optimizer);
    let matrix = |tensor: &NamedTensor| tensor.shape.len() > 1;
    let (mut m, mut v) = (named(network, &m), named(network, &v));
    let mut state = State::of(weights).counting("step", step);
    if let [momentum, _] = first {
        let (matrices, rest) = m.into_iter().partition(matrix);
        (state, m) = (state.with(momentum, matrices), rest);
        v.retain(|tensor| !matrix(tensor));
    }
    state = state.with(first[first.len() - 1], m);
    if second {
        state = state.with("v", v);
    }
    match average {
        Some(average) => state.with(State::EMA, average),
        None => state,
    }
}

/// What an optimizer kept.
///
/// # Errors
/// When the state is another optimizer's.
pub(crate) fn moments(network: &Network, state: &State, optimizer: Optimizer) -> Result<Moments> {
    let (first, second) = groups(optimizer);
    let kept = |group: &str| first.contains(&group) || (second && group == "v");
    state.kept_by(optimizer.name(), kept)?;
    let all = |groups: &[&str]| -> Vec<f32> {
        let tensors: Vec<&NamedTensor> = groups.iter().flat_map(|group| state.group(group)).collect();
        // Tensors that did not train may have been left out: their moments are zero.
        let zero = |t: &fm_net::TensorSpec| NamedTensor {
            name: t.name.clone(),
            shape: t.shape.clone(),
            data: vec![0.0; t.count()],
        };
        let known = |t: &fm_net::TensorSpec| tensors.iter().find(|w| w.name == t.name).copied().cloned();
        let all: Vec<NamedTensor> = network.tensors().map(|t| known(t).unwrap_or_else(|| zero(t))).collect();
        flat(network, &all)
    };
    Ok(Moments { m: all(first), v: all(&["v"]), step: state.count("step")? })
}

/// The moving average.
///
/// # Errors
/// When its tensors are not the network's.
pub(crate) fn average(network: &Network, state: &State) -> Result<Vec<f32>> {
    let average = state.group(State::EMA);
    fm_net::check(network, average).map_err(|e| Error::new(Kind::Mismatch, e.to_string()))?;
    Ok(flat(network, average))
}
