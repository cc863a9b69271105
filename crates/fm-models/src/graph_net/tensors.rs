//! A network's tensors on a device, node by node.

use fm_net::{NamedTensor, Network, Part, Role, Scope};
use tch::nn::{Init, VarStore};
use tch::{Device, Kind, TchError, Tensor};

/// Two variable stores and each node's share of them.
#[derive(Debug)]
pub(super) struct Tensors {
    encoder: VarStore,
    rest: VarStore,
    nodes: Vec<Vec<Tensor>>,
}

impl Tensors {
    /// Zeros for every tensor of `network`, all trained ones trainable.
    pub(super) fn new(network: &Network, device: Device) -> Result<Self, TchError> {
        let (encoder, rest) = (VarStore::new(device), VarStore::new(device));
        let nodes = network.nodes.iter().map(|node| {
            let store = if node.part == Part::Encoder { &encoder } else { &rest };
            let tensors = node.tensors.iter().map(|spec| {
                // `encoder.block2.conv1.weight`: groups, and the variable last.
                let (groups, last) = spec.name.rsplit_once('.').unwrap_or(("", &spec.name));
                let path = groups.split('.').fold(store.root(), |path, group| path / group);
                match spec.role {
                    Role::Trained => path.f_var(last, &shape(&spec.shape), Init::Const(0.0)),
                    Role::Buffer => path.f_zeros_no_train(last, &shape(&spec.shape)),
                }
            });
            tensors.collect::<Result<Vec<_>, _>>()
        });
        let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { encoder, rest, nodes })
    }

    /// The tensors of the node at index `at`, in its order.
    pub(super) fn of(&self, at: usize) -> &[Tensor] {
        &self.nodes[at]
    }

    pub(super) fn train_only(&mut self, scope: Scope) {
        let (encoder, rest) = (scope != Scope::Head, scope != Scope::Encoder);
        for (store, trains) in [(&mut self.encoder, encoder), (&mut self.rest, rest)] {
            for mut tensor in store.trainable_variables() {
                tensor.zero_grad();
            }
            if trains { store.unfreeze() } else { store.freeze() }
        }
    }

    pub(super) fn load(&mut self, network: &Network, given: &[NamedTensor]) -> Result<(), TchError> {
        let _guard = tch::no_grad_guard();
        for (node, tensors) in network.nodes.iter().zip(&mut self.nodes) {
            for (spec, tensor) in node.tensors.iter().zip(tensors) {
                let name = &spec.name;
                let found = given
                    .iter()
                    .find(|t| t.name == *name)
                    .ok_or_else(|| TchError::TensorNameNotFound(name.clone(), "the tensors".to_owned()))?;
                let got = shape(&found.shape);
                if got != tensor.size() {
                    let expected = tensor.size();
                    return Err(TchError::Shape(format!("{name} is {got:?}, expected {expected:?}")));
                }
                tensor.f_copy_(&Tensor::f_from_slice(&found.data)?.f_view(got.as_slice())?)?;
            }
        }
        Ok(())
    }
}

fn shape(sizes: &[usize]) -> Vec<i64> {
    sizes.iter().map(|&n| n as i64).collect()
}

/// Copies a tensor to the host as `f32`, row-major whatever its strides.
///
/// # Errors
/// libtorch's own.
pub fn to_host(name: &str, tensor: &Tensor) -> Result<NamedTensor, TchError> {
    let shape: Vec<usize> = tensor.size().iter().map(|&n| n as usize).collect();
    let flat = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
    let mut data = vec![0.0_f32; shape.iter().product()];
    flat.f_copy_data(&mut data, shape.iter().product())?;
    Ok(NamedTensor { name: name.to_owned(), shape, data })
}
