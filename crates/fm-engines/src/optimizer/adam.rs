//! Adam: in Keras' form, and in PyTorch's with decoupled weight decay.

use fm_net::Part;
use fm_run::spec::Optimizer as Kind;
use fm_torch::{Adam, AdamConfig};
use fm_train::engine::{Rates, State};
use fm_train::plan::Update;
use tch::Tensor;

use super::{Optimizer, Param, Result, decay, to_device};

/// Adam's groups: first and second moments.
const M: &str = "m";
const V: &str = "v";
/// Adam's counter.
const STEP: &str = "step";

/// An Adam for each part that trains, because one kernel call has one rate.
#[derive(Debug)]
pub(super) struct Adams {
    update: Update,
    parts: Vec<(Part, Vec<String>, Vec<Tensor>, Adam)>,
}

impl Adams {
    pub(super) fn new(params: Vec<Param>, update: &Update) -> Result<Self> {
        let mut parts: Vec<(Part, Vec<String>, Vec<Tensor>)> = Vec::new();
        for Param { name, part, tensor } in params {
            match parts.last_mut() {
                Some((last, names, tensors)) if *last == part => {
                    names.push(name);
                    tensors.push(tensor);
                }
                _ => parts.push((part, vec![name], vec![tensor])),
            }
        }
        let config = if update.optimizer == Kind::Adam { AdamConfig::KERAS } else { AdamConfig::PYTORCH };
        let shared = |tensors: &[Tensor]| tensors.iter().map(Tensor::shallow_clone).collect();
        let adam = |tensors: &[Tensor]| Adam::new(config, shared(tensors));
        let parts = parts.into_iter().map(|(part, names, tensors)| {
            let adam = adam(&tensors)?;
            Ok((part, names, tensors, adam))
        });
        Ok(Self { update: *update, parts: parts.collect::<Result<_>>()? })
    }
}

impl Optimizer for Adams {
    fn step(&mut self, rates: Rates) -> Result<()> {
        for (part, _, tensors, adam) in &mut self.parts {
            let lr = rates.of(*part);
            let guard = tch::no_grad_guard();
            tensors.iter_mut().try_for_each(|tensor| decay(tensor, &self.update, lr))?;
            drop(guard);
            adam.step(lr)?;
        }
        Ok(())
    }

    fn state(&self) -> Result<State> {
        let (mut m, mut v, mut step) = (Vec::new(), Vec::new(), 0);
        for (_, names, _, adam) in &self.parts {
            for (name, (first, second)) in names.iter().zip(adam.moments()) {
                m.push(fm_models::to_host(name, first)?);
                v.push(fm_models::to_host(name, second)?);
            }
            step = adam.steps();
        }
        Ok(State::default().with(M, m).with(V, v).counting(STEP, step))
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        for (_, names, _, adam) in &mut self.parts {
            let of = |group, name: &String, now: &Tensor| to_device(state.tensor(group, name)?, now);
            let moments = names.iter().zip(adam.moments());
            let moments = moments.map(|(name, (m, v))| Ok((of(M, name, m)?, of(V, name, v)?)));
            let moments = moments.collect::<Result<Vec<_>>>()?;
            adam.restore(state.count(STEP)?, &moments)?;
        }
        Ok(())
    }
}
