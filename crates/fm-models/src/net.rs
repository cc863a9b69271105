//! A network's weights in libtorch, and the forward pass.
//!
//! The encoder and what follows it (head or decoder) are two variable stores, so that either can be frozen by
//! itself. Images enter as `[n, 1, h, w]` floats, already cut to the part that the network sees
//! ([`Network::seen`]); codes are `[n, code_len]`, logits `[n, classes]`, reconstructions `[n, 1, h, w]`.

use tch::nn::{self, VarStore};
use tch::{Device, Kind, TchError, Tensor};

use crate::network::{Layer, Network, Op, Part};
use crate::weights::Weights;

/// Which parts of a network train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All parts.
    All,
    /// The encoder alone.
    Encoder,
    /// What follows the encoder alone (the head, or a decoder), on a frozen encoder.
    Head,
}

impl Scope {
    /// Whether `part` trains.
    #[must_use]
    pub fn contains(self, part: Part) -> bool {
        match self {
            Scope::All => true,
            Scope::Encoder => part == Part::Encoder,
            Scope::Head => part != Part::Encoder,
        }
    }

    /// How many of the network's values train, and how many stay as they are.
    #[must_use]
    pub fn counts(self, network: &Network) -> (usize, usize) {
        let count = |trains: bool| {
            Part::ALL.iter().filter(|p| self.contains(**p) == trains).map(|&p| network.param_count(p)).sum()
        };
        (count(true), count(false))
    }
}

/// A network on a device.
#[derive(Debug)]
pub struct Net {
    network: Network,
    encoder: VarStore,
    rest: VarStore,
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
    Unflatten,
    Upsample,
    ConvTranspose { weight: Tensor, bias: Tensor, last: bool },
}

impl Net {
    /// Builds `network` on `device` with `weights`, which must be its parameters ([`crate::check`]).
    ///
    /// # Errors
    /// When libtorch cannot allocate on the device, or a tensor is missing.
    pub fn new(network: &Network, weights: &[Weights], device: Device) -> Result<Self, TchError> {
        let (encoder, rest) = (VarStore::new(device), VarStore::new(device));
        let mut stages = Vec::new();
        let mut params = Vec::new();
        let mut inputs = 1;
        for layer in &network.layers {
            let store = if layer.part == Part::Encoder { &encoder } else { &rest };
            let stage = stage(layer, store, inputs);
            inputs = layer.output[0] as i64;
            let tensors = match &stage {
                Stage::Conv(conv) => vec![Some(&conv.ws), conv.bs.as_ref()],
                Stage::Dense(dense, _) => vec![Some(&dense.ws), dense.bs.as_ref()],
                Stage::ConvTranspose { weight, bias, .. } => vec![Some(weight), Some(bias)],
                Stage::MaxPoolRelu | Stage::Flatten | Stage::Unflatten | Stage::Upsample => Vec::new(),
            };
            for (param, tensor) in layer.params.iter().zip(tensors.into_iter().flatten()) {
                params.push((param.name.clone(), layer.part, tensor.shallow_clone()));
            }
            stages.push(stage);
        }
        let mut net = Self { network: network.clone(), encoder, rest, stages, params };
        net.load(weights)?;
        Ok(net)
    }

    /// What the net was built from.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Images `[n, 1, h, w]` to logits `[n, classes]`, or to reconstructions of the images' shape.
    pub fn forward(&self, images: &Tensor) -> Result<Tensor, TchError> {
        self.run(images, |_| true)
    }

    /// Images `[n, 1, h, w]` to codes `[n, code_len]`.
    pub fn encode(&self, images: &Tensor) -> Result<Tensor, TchError> {
        self.run(images, |part| part == Part::Encoder)
    }

    /// Codes `[n, code_len]` to logits `[n, classes]`, or to reconstructions.
    pub fn decode(&self, codes: &Tensor) -> Result<Tensor, TchError> {
        self.run(codes, |part| part != Part::Encoder)
    }

    fn run(&self, input: &Tensor, parts: impl Fn(Part) -> bool) -> Result<Tensor, TchError> {
        let mut x = input.shallow_clone();
        for (layer, stage) in self.network.layers.iter().zip(&self.stages).filter(|(l, _)| parts(l.part)) {
            x = match stage {
                Stage::Conv(conv) => x.f_conv2d(&conv.ws, conv.bs.as_ref(), 1, 0, 1, 1)?,
                Stage::MaxPoolRelu => x.f_max_pool2d(2, 2, 0, 1, false)?.f_relu()?,
                Stage::Flatten => x.f_flatten(1, -1)?,
                Stage::Dense(dense, relu) => {
                    let y = x.f_linear(&dense.ws, dense.bs.as_ref())?;
                    if *relu { y.f_relu()? } else { y }
                }
                Stage::Unflatten => {
                    let shape: Vec<i64> = layer.output.iter().map(|&n| n as i64).collect();
                    x.f_unflatten(1, shape)?
                }
                Stage::Upsample => {
                    let size = [layer.output[1] as i64, layer.output[2] as i64];
                    x.f_upsample_nearest2d(size, None, None)?
                }
                Stage::ConvTranspose { weight, bias, last } => {
                    let y = x.f_conv_transpose2d(weight, Some(bias), 1, 0, 0, 1, 1)?;
                    if *last { y.f_sigmoid()? } else { y.f_relu()? }
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
        let rest = scope != Scope::Encoder;
        for (store, trains) in [(&mut self.encoder, scope != Scope::Head), (&mut self.rest, rest)] {
            for mut tensor in store.trainable_variables() {
                tensor.zero_grad();
            }
            if trains { store.unfreeze() } else { store.freeze() }
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
        Op::Unflatten => Stage::Unflatten,
        Op::Upsample => Stage::Upsample,
        Op::ConvTranspose { filters, last } => Stage::ConvTranspose {
            weight: path.var("weight", &[inputs, filters as i64, 3, 3], zero),
            bias: path.var("bias", &[filters as i64], zero),
            last,
        },
    }
}
