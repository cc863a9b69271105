//! What both engines of this project's own kernels say in the same way: tensors one after the other, an optimizer's
//! state by name, a phase as a recipe.

use fm_kernels::{Method, Moments, Recipe};
use fm_net::{NamedTensor, Network, Scope};
use fm_run::error::{Error, Kind, Result};
use fm_run::spec::Optimizer;
use fm_train::engine::State;
use fm_train::plan::{Phase, Update};

/// Whether the kernels train as the phase says.
pub(crate) fn trains(phase: &Phase) -> Result<(), String> {
    let optimizer = phase.update.optimizer;
    method(&phase.update).map(drop).ok_or_else(|| uncovered(optimizer))
}

fn uncovered(optimizer: Optimizer) -> String {
    format!("--optimizer {}", optimizer.name())
}

/// The optimizer in the kernels' words, where they have it.
fn method(update: &Update) -> Option<Method> {
    match update.optimizer {
        Optimizer::Adam => Some(Method::KERAS),
        Optimizer::AdamW => Some(Method::PYTORCH),
        Optimizer::Sgd => Some(Method::Sgd { momentum: update.momentum }),
        Optimizer::Muon => None,
    }
}

/// How a phase trains, in the kernels' words.
///
/// # Errors
/// When they do not have its optimizer.
pub(crate) fn recipe(phase: &Phase) -> Result<Recipe> {
    let update = &phase.update;
    let method = method(update).ok_or_else(|| Error::usage(uncovered(update.optimizer)))?;
    Ok(Recipe {
        lr_encoder: phase.encoder_lr,
        lr_head: phase.lr,
        method,
        weight_decay: update.weight_decay,
        decay_all: update.decay_all,
        smoothing: phase.label_smoothing,
        average: phase.ema,
        scope: match phase.scope {
            Scope::All => fm_kernels::Scope::All,
            Scope::Encoder => fm_kernels::Scope::Encoder,
            Scope::Head => fm_kernels::Scope::Head,
        },
    })
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

/// All that training changes. Names of the groups are those of the eager engine's optimizers.
pub(crate) fn state(
    network: &Network,
    weights: Vec<NamedTensor>,
    Moments { m, v, step }: Moments,
    average: Option<Vec<NamedTensor>>,
    momentum: bool,
) -> State {
    let (m, v) = (named(network, &m), named(network, &v));
    let state = State::of(weights).counting("step", step);
    let state = if momentum { state.with("momentum", m) } else { state.with("m", m).with("v", v) };
    match average {
        Some(average) => state.with(State::EMA, average),
        None => state,
    }
}

/// What an optimizer kept.
///
/// # Errors
/// When the state is another optimizer's.
pub(crate) fn moments(network: &Network, state: &State, momentum: bool) -> Result<Moments> {
    let kept: &[&str] = if momentum { &["momentum"] } else { &["m", "v"] };
    state.kept_by(if momentum { "sgd" } else { "adam" }, |group| kept.contains(&group))?;
    let all = |group: &str| -> Vec<f32> {
        let tensors = state.group(group);
        // Tensors that did not train may have been left out: their moments are zero.
        let zero = |t: &fm_net::TensorSpec| NamedTensor {
            name: t.name.clone(),
            shape: t.shape.clone(),
            data: vec![0.0; t.count()],
        };
        let known = |t: &fm_net::TensorSpec| tensors.iter().find(|w| w.name == t.name).cloned();
        let all: Vec<NamedTensor> = network.tensors().map(|t| known(t).unwrap_or_else(|| zero(t))).collect();
        flat(network, &all)
    };
    Ok(Moments { m: all(kept[0]), v: all("v"), step: state.count("step")? })
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
