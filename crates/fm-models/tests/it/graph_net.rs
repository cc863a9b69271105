//! Networks as graphs in libtorch.

use std::any::Any;
use std::sync::Arc;

use fm_models::{Mode, Net, NetError, TorchOp, TorchOps};
use fm_net::{Arch, Draws, NamedTensor, Network, Notation, Operator, Role, Scope, Shape, ShapeError, Window};
use tch::{Device, Kind, TchError, Tensor};

const DRAWS: Draws = Draws { seed: 5, phase: 0, step: 0 };

fn network(arch: &str) -> Network {
    Network::new(&arch.parse::<Arch>().unwrap(), 10).unwrap()
}

fn net(arch: &str) -> Net {
    let network = network(arch);
    Net::new(&network, &fm_net::init::initial(&network, 0), Device::Cpu).unwrap()
}

/// Images `[n, 1, 28, 28]`, the same in every call.
fn images(n: i64) -> Tensor {
    (Tensor::arange(n * 784, (Kind::Float, Device::Cpu)) * 12.9898).sin().abs().view([n, 1, 28, 28])
}

fn values(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.contiguous().view(-1)).unwrap()
}

#[test]
fn encoding_and_decoding_is_the_forward_pass() {
    let net = net("8C3.same.bn-2x8R3-MP2-16DS3.s2.se2--12-D50");
    let images = images(4);
    let codes = net.encode(&images, Mode::Eval).unwrap();
    assert_eq!(codes.size(), [4, net.network().code_len() as i64]);
    let logits = net.decode(&codes, Mode::Eval).unwrap();
    assert_eq!(values(&logits), values(&net.forward(&images, Mode::Eval).unwrap()));
}

fn buffers(net: &Net) -> Vec<NamedTensor> {
    let specs: Vec<_> = net.network().tensors().filter(|t| t.role == Role::Buffer).cloned().collect();
    net.tensors().unwrap().into_iter().filter(|t| specs.iter().any(|s| s.name == t.name)).collect()
}

#[test]
fn running_statistics_move_in_training_alone() {
    let mut net = net("4C3.bn-MP2--8");
    let images = images(4);
    let fresh = buffers(&net);
    assert_eq!(fresh.len(), 2);
    let _ = net.forward(&images, Mode::Eval).unwrap();
    assert_eq!(buffers(&net), fresh);

    net.train_only(Scope::Head);
    let frozen = net.forward(&images, Mode::Train(&DRAWS)).unwrap();
    assert_eq!(buffers(&net), fresh, "a frozen encoder's statistics stay");
    assert_eq!(values(&frozen), values(&net.forward(&images, Mode::Eval).unwrap()), "and are what it uses");

    net.train_only(Scope::Encoder);
    let trained = net.forward(&images, Mode::Train(&DRAWS)).unwrap();
    assert_ne!(values(&frozen), values(&trained));
    let moved = buffers(&net);
    // A tenth of the way from 0 and 1 to the batch's mean and unbiased variance.
    let conv = images.conv2d(&net.params(Scope::All).next().unwrap().1.detach(), None::<Tensor>, 1, 0, 1, 1);
    let (variance, mean) = conv.transpose(0, 1).flatten(1, -1).var_mean_dim(1, true, false);
    for (tensor, expected) in moved.iter().zip([mean * 0.1, variance * 0.1 + 0.9]) {
        for (got, want) in tensor.data.iter().zip(values(&expected)) {
            assert!((got - want).abs() < 1e-5, "{}: {got} {want}", tensor.name);
        }
    }
}

#[test]
fn a_single_value_a_channel_cannot_be_normalised() {
    let net = net("4C3-MP26-4C1.bn--8");
    let error = net.forward(&images(1), Mode::Train(&DRAWS)).unwrap_err().to_string();
    assert!(error.contains("encoder.norm1 has one value a channel"), "{error}");
    assert!(
        net.forward(&images(1), Mode::Eval).is_ok() && net.forward(&images(2), Mode::Train(&DRAWS)).is_ok()
    );
}

#[test]
fn dropout_follows_the_seed_and_the_step() {
    let mut net = net("4C3-SD50-D30-MP2--8");
    let images = images(4);
    let run = |net: &Net, mode| values(&net.forward(&images, mode).unwrap());
    let (first, eval) = (run(&net, Mode::Train(&DRAWS)), run(&net, Mode::Eval));
    assert_eq!(first, run(&net, Mode::Train(&DRAWS)));
    assert_ne!(first, eval);
    assert_ne!(first, run(&net, Mode::Train(&Draws { step: 1, ..DRAWS })));
    net.train_only(Scope::Head);
    assert_eq!(eval, run(&net, Mode::Train(&DRAWS)), "nothing is dropped in a frozen part");
}

#[test]
fn dropout_keeps_the_mean_and_whole_channels() {
    let network = network("50C1.linear-SD30--8");
    let mut tensors = fm_net::init::initial(&network, 0);
    // Channels of ones, so that the codes are the mask.
    tensors[0].data.fill(0.0);
    tensors[1].data.fill(1.0);
    let net = Net::new(&network, &tensors, Device::Cpu).unwrap();
    let codes = net.encode(&images(40), Mode::Train(&DRAWS)).unwrap().view([40 * 50, 784]);
    assert_eq!(values(&codes.amax(1, false)), values(&codes.amin(1, false)), "channels drop as a whole");
    let kept = values(&codes.select(1, 0));
    let share = kept.iter().filter(|v| **v > 0.0).count() as f64 / 2000.0;
    // Five standard deviations.
    assert!((share - 0.7).abs() < 5.0 * (0.21_f64 / 2000.0).sqrt(), "{share}");
    assert!(kept.iter().all(|v| *v == 0.0 || (v - 1.0 / 0.7).abs() < 1e-4));
}

#[test]
fn cutting_what_is_not_seen_changes_no_bit() {
    let net = net("4C3-D30-MP2-8C3-SD20-MP2-8C3-MP2--8");
    let (h, w) = net.network().seen();
    let images = images(4);
    assert!(h < 28);
    let cut = images.narrow(2, 0, h as i64).narrow(3, 0, w as i64);
    let run = |images: &Tensor| values(&net.forward(images, Mode::Train(&DRAWS)).unwrap());
    assert_eq!(run(&images), run(&cut));
}

#[test]
fn tensors_go_out_and_in() {
    let mut net = net("4C3.bn-2x4R3-GAP");
    let mut tensors = net.tensors().unwrap();
    assert!(tensors.iter().map(|t| &t.name).eq(net.network().tensors().map(|t| &t.name)));
    for tensor in &mut tensors {
        tensor.data.iter_mut().for_each(|v| *v += 1.0);
    }
    net.load(&tensors).unwrap();
    assert_eq!(net.tensors().unwrap(), tensors);
    tensors[1].shape = vec![9];
    let error = net.load(&tensors).unwrap_err().to_string();
    assert!(error.contains("encoder.norm1.weight is [9], expected [4]"), "{error}");
}

#[test]
fn only_the_scope_trains() {
    let mut net = net("4C3.bn-MP2--8");
    for scope in [Scope::Head, Scope::Encoder, Scope::All] {
        net.train_only(scope);
        let all: Vec<&str> =
            net.params(Scope::All).filter(|(_, t)| t.requires_grad()).map(|(name, _)| name).collect();
        assert_eq!(all, net.params(scope).map(|(name, _)| name).collect::<Vec<_>>(), "{scope:?}");
    }
}

/// Adds a number of its own to every value.
#[derive(Debug)]
struct Plus(usize);

impl Operator for Plus {
    fn kind(&self) -> &'static str {
        "plus"
    }

    fn output(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn window(&self) -> Window {
        Window::Point
    }

    fn describe(&self) -> String {
        format!("plus {}", self.0)
    }
}

impl TorchOp for Plus {
    fn forward(&self, inputs: &[Tensor], _tensors: &[Tensor], _train: bool) -> Result<Tensor, TchError> {
        inputs[0].f_add_scalar(self.0 as f64)
    }
}

#[test]
fn operators_from_outside_run_or_are_refused_by_name() {
    let notation = Notation::standard().with("PLUS", |n| Ok(Arc::new(Plus(n)))).unwrap();
    let network = Network::new(&notation.parse("4C3-PLUS7").unwrap(), 10).unwrap();
    let tensors = fm_net::init::initial(&network, 0);
    let error = Net::new(&network, &tensors, Device::Cpu).unwrap_err();
    assert!(matches!(error, NetError::NotCovered(_)));
    assert_eq!(error.to_string(), "not covered: eager has no operator `plus`");
    assert_eq!(fm_net::pytorch(&network).unwrap_err().kind, "plus");

    let ops = TorchOps::default().with("plus", |operator, _inputs| {
        let number = (operator as &dyn Any).downcast_ref::<Plus>().map_or(0, |plus| plus.0);
        Box::new(Plus(number))
    });
    let with = Net::with_ops(&network, &tensors, Device::Cpu, &ops).unwrap();
    let (a, b) =
        (with.encode(&images(2), Mode::Eval).unwrap(), net("4C3").encode(&images(2), Mode::Eval).unwrap());
    assert_eq!(values(&a), values(&(b + 7.0)));
}
