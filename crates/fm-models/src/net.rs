//! A network's weights in libtorch, and the forward pass.
//!
//! Encoder and head are two variable stores, so that either can be frozen by itself. Images enter as
//! `[n, 1, h, w]` floats, already cut to the part that the network sees ([`Network::seen`]); codes are
//! `[n, code_len]`, logits `[n, classes]`.

use tch::nn::{self, VarStore};
use tch::{Device, Kind, TchError, Tensor};

use crate::network::{Layer, Network, Op, Part};
use crate::weights::Weights;

/// Which parts of a network train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Both parts.
    All,
    /// The encoder alone.
    Encoder,
    /// The head alone, on a frozen encoder.
    Head,
}

impl Scope {
    /// Whether `part` trains.
    #[must_use]
    pub fn contains(self, part: Part) -> bool {
        match self {
            Scope::All => true,
            Scope::Encoder => part == Part::Encoder,
            Scope::Head => part == Part::Head,
        }
    }
}

/// A network on a device.
#[derive(Debug)]
pub struct Net {
    network: Network,
    encoder: VarStore,
    head: VarStore,
    stages: Vec<Stage>,
    params: Vec<(String, Part, Tensor)>,
}

/// A layer ready to run.
#[derive(Debug)]
enum Stage {
    Conv(nn::Conv2D),
    MaxPoolRelu,
    Flatten,
    Dense(nn::Linear, bool),
}

impl Net {
    /// Builds `network` on `device` with `weights`, which must be its parameters ([`crate::check`]).
    ///
    /// # Errors
    /// When libtorch cannot allocate on the device, or a tensor is missing.
    pub fn new(network: &Network, weights: &[Weights], device: Device) -> Result<Self, TchError> {
        let (encoder, head) = (VarStore::new(device), VarStore::new(device));
        let mut stages = Vec::new();
        let mut params = Vec::new();
        let mut inputs = 1;
        for layer in &network.layers {
            let store = if layer.part == Part::Encoder { &encoder } else { &head };
            let stage = stage(layer, store, inputs);
            if layer.op != Op::MaxPool {
                inputs = layer.output[0] as i64;
            }
            let tensors = match &stage {
                Stage::Conv(conv) => vec![Some(&conv.ws), conv.bs.as_ref()],
                Stage::Dense(dense, _) => vec![Some(&dense.ws), dense.bs.as_ref()],
                Stage::MaxPoolRelu | Stage::Flatten => Vec::new(),
            };
            for (param, tensor) in layer.params.iter().zip(tensors.into_iter().flatten()) {
                params.push((param.name.clone(), layer.part, tensor.shallow_clone()));
            }
            stages.push(stage);
        }
        let mut net = Self { network: network.clone(), encoder, head, stages, params };
        net.load(weights)?;
        Ok(net)
    }

    /// What the net was built from.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Images `[n, 1, h, w]` to logits `[n, classes]`.
    pub fn forward(&self, images: &Tensor) -> Result<Tensor, TchError> {
        self.classify(&self.encode(images)?)
    }

    /// Images `[n, 1, h, w]` to codes `[n, code_len]`.
    pub fn encode(&self, images: &Tensor) -> Result<Tensor, TchError> {
        self.run(images, Part::Encoder)
    }

    /// Codes `[n, code_len]` to logits `[n, classes]`.
    pub fn classify(&self, codes: &Tensor) -> Result<Tensor, TchError> {
        self.run(codes, Part::Head)
    }

    fn run(&self, input: &Tensor, part: Part) -> Result<Tensor, TchError> {
        let mut x = input.shallow_clone();
        for (layer, stage) in self.network.layers.iter().zip(&self.stages).filter(|(l, _)| l.part == part) {
            x = match stage {
                Stage::Conv(conv) => x.f_conv2d(&conv.ws, conv.bs.as_ref(), 1, 0, 1, 1)?,
                Stage::MaxPoolRelu => x.f_max_pool2d(2, 2, 0, 1, false)?.f_relu()?,
                Stage::Flatten => x.f_flatten(1, -1)?,
                Stage::Dense(dense, relu) => {
                    let y = x.f_linear(&dense.ws, dense.bs.as_ref())?;
                    if *relu { y.f_relu()? } else { y }
                }
            };
            debug_assert_eq!(x.size()[1], layer.output[0] as i64);
        }
        Ok(x)
    }

    /// Parameters of the parts in `scope`, in canonical order.
    pub fn params(&self, scope: Scope) -> impl Iterator<Item = (&str, &Tensor)> {
        self.params
            .iter()
            .filter(move |(_, part, _)| scope.contains(*part))
            .map(|(name, _, t)| (name.as_str(), t))
    }

    /// Makes exactly the parts in `scope` trainable, and forgets every gradient, so that none of an
    /// earlier phase acts in the next.
    pub fn train_only(&mut self, scope: Scope) {
        for (store, part) in [(&mut self.encoder, Part::Encoder), (&mut self.head, Part::Head)] {
            for mut tensor in store.trainable_variables() {
                tensor.zero_grad();
            }
            if scope.contains(part) { store.unfreeze() } else { store.freeze() }
        }
    }

    /// Replaces every parameter's values; the device's tensors stay the same objects.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(&mut self, weights: &[Weights]) -> Result<(), TchError> {
        let _guard = tch::no_grad_guard();
        for (name, _, tensor) in &mut self.params {
            let found = weights
                .iter()
                .find(|w| w.name == *name)
                .ok_or_else(|| TchError::TensorNameNotFound(name.clone(), "the weights".to_owned()))?;
            let shape: Vec<i64> = found.shape.iter().map(|&n| n as i64).collect();
            if shape != tensor.size() {
                return Err(TchError::Shape(format!("{name} is {shape:?}, expected {:?}", tensor.size())));
            }
            tensor.f_copy_(&Tensor::f_from_slice(&found.data)?.f_view(shape.as_slice())?)?;
        }
        Ok(())
    }

    /// Copies every parameter to the host, in canonical order.
    pub fn weights(&self) -> Result<Vec<Weights>, TchError> {
        self.params.iter().map(|(name, _, tensor)| to_host(name, tensor)).collect()
    }
}

/// Copies a tensor to the host as `f32`, row-major whatever its strides.
///
/// # Errors
/// libtorch's own.
pub fn to_host(name: &str, tensor: &Tensor) -> Result<Weights, TchError> {
    let shape: Vec<usize> = tensor.size().iter().map(|&n| n as usize).collect();
    let flat = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
    let mut data = vec![0.0_f32; shape.iter().product()];
    flat.f_copy_data(&mut data, shape.iter().product())?;
    Ok(Weights { name: name.to_owned(), shape, data })
}

/// Makes the variables of one layer. Their first values do not matter: weights are loaded over them.
///
/// Pooling comes before ReLU, which halves nothing but the work: max and ReLU commute, and a quarter of
/// the elements is left.
fn stage(layer: &Layer, store: &VarStore, inputs: i64) -> Stage {
    let path = store.root() / layer.name.as_str();
    let zero = nn::Init::Const(0.0);
    match layer.op {
        Op::Conv { filters } => {
            let config = nn::ConvConfigND { ws_init: zero, bs_init: zero, ..Default::default() };
            Stage::Conv(nn::conv(path, inputs, filters as i64, [3, 3], config))
        }
        Op::MaxPool => Stage::MaxPoolRelu,
        Op::Flatten => Stage::Flatten,
        Op::Dense { units, relu } => {
            let config = nn::LinearConfig { ws_init: zero, bs_init: Some(zero), bias: true };
            Stage::Dense(nn::linear(path, inputs, units as i64, config), relu)
        }
    }
}
