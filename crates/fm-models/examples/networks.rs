//! Writes random networks for `scripts/interop/networks.sh`: generated code, tensors, images, and what this
//! project computes from them in inference and in training mode.
//!
//! `networks DIRECTORY COUNT [SEED]` writes `random-0.safetensors`, `random-1.safetensors` … and a few named ones.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;

use fm_models::{Mode, Net};
use fm_net::draws::{Draws, scale};
use fm_net::{Arch, NamedTensor, Network, Op, Role, Scope, TensorSpec};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use safetensors::tensor::{Dtype, TensorView};
use tch::{Device, Reduction, Tensor};

type Failure = Box<dyn Error>;

/// Images of a batch.
const BATCH: usize = 4;

/// Compared besides the random ones: the aliases, which have a mirror image, and networks of the literature.
const NAMED: [&str; 6] = [
    "cnn",
    "encoder-mlp@20x25",
    "8C5-AP2-12C3.gelu-MP2-D20--30@30x28x3",
    "16C3.same.bn-3x16R3-3x32R3.s2-3x64R3.s2-GAP",
    "16C3.same.bn-MP2-48DS3-MP2-96DS3-128DS3-MP2-160DS3-GAP",
    "16C3.same.gn4.ws-2x16IR3.e2.se4.silu-SD20-24R3.pre.s2-GMP--32.silu-D50",
];

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, count, rest @ ..] = &args[..] else {
        return Err("usage: networks DIRECTORY COUNT [SEED]".into());
    };
    let seed: u64 = rest.first().map_or(Ok(0), |seed| seed.parse())?;
    for (index, text) in NAMED.into_iter().enumerate() {
        write_both(&text.parse()?, seed, &Path::new(dir).join(format!("named-{index}")))?;
    }
    for seed in seed..seed + count.parse::<u64>()? {
        let arch = fm_net::arbitrary::arch(seed);
        write_both(&arch, seed, &Path::new(dir).join(format!("random-{seed}")))?;
    }
    Ok(())
}

/// The classifier and, where there is one, the autoencoder.
fn write_both(arch: &Arch, seed: u64, path: &Path) -> Result<(), Failure> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let classes = 2 + (rng.next_u32() % 12) as usize;
    write(&Network::new(arch, classes)?, seed, &mut rng, &path.with_extension("safetensors"))?;
    if let Ok(mirror) = Network::autoencoder(arch) {
        write(&mirror, seed, &mut rng, &path.with_extension("mirror.safetensors"))?;
    }
    Ok(())
}

/// From -1 to 1.
fn unit(rng: &mut ChaCha8Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0
}

/// Initial values, moved so that every tensor matters.
fn perturbed(network: &Network, seed: u64, rng: &mut ChaCha8Rng) -> Vec<NamedTensor> {
    let mut tensors = fm_net::init::initial(network, seed);
    for tensor in &mut tensors {
        let kernel = tensor.shape.len() > 1;
        tensor.data.iter_mut().for_each(|v| *v += unit(rng) * if kernel { 0.02 } else { 0.3 });
    }
    tensors
}

fn write(network: &Network, seed: u64, rng: &mut ChaCha8Rng, path: &Path) -> Result<(), Failure> {
    let mut out = Output::default();
    let tensors = perturbed(network, seed, rng);
    for tensor in &tensors {
        out.add(format!("weights.{}", tensor.name), &tensor.shape, &tensor.data);
    }

    let arch = &network.arch;
    let size = [BATCH, arch.channels, arch.height, arch.width];
    let pixels: Vec<f32> =
        (0..size.iter().product()).map(|_| (rng.next_u32() % 256) as f32 / 255.0).collect();
    out.add("images".to_owned(), &size, &pixels);
    let images = Tensor::f_from_slice(&pixels)?.f_view(size.map(|n| n as i64))?;

    let mut net = Net::new(network, &tensors, Device::Cpu)?;
    {
        let _guard = tch::no_grad_guard();
        out.tensor("eval.output", &net.forward(&images, Mode::Eval)?)?;
    }
    let draws = Draws { seed, phase: 1, step: 7 };
    masks(network, &draws, &mut out);
    net.train_only(Scope::All);
    let output = net.forward(&images, Mode::Train(&draws))?;
    out.tensor("train.output", &output)?;
    loss(network, &output, &images)?.f_backward()?;
    for (name, tensor) in net.params(Scope::All) {
        out.tensor(&format!("grad.{name}"), &tensor.f_grad()?)?;
    }
    // Both in canonical order.
    for (spec, tensor) in network.tensors().zip(net.tensors()?).filter(|(spec, _)| spec.role == Role::Buffer)
    {
        out.add(format!("after.{}", spec.name), &tensor.shape, &tensor.data);
    }
    out.write(network, path)
}

/// Cross-entropy with the labels 0, 1, 2 …, or the mean square of what the reconstructions lack.
fn loss(network: &Network, output: &Tensor, images: &Tensor) -> Result<Tensor, Failure> {
    if let Some(classes) = network.classes {
        let labels: Vec<i64> = (0..BATCH).map(|i| (i % classes) as i64).collect();
        let labels = Tensor::f_from_slice(&labels)?;
        return Ok(output.f_cross_entropy_loss::<Tensor>(&labels, None, Reduction::Mean, -100, 0.0)?);
    }
    let seen = images.f_narrow(2, 0, output.size()[2])?.f_narrow(3, 0, output.size()[3])?;
    Ok(output.f_mse_loss(&seen, Reduction::Mean)?)
}

/// What each dropout multiplies by, 0 or its scale.
fn masks(network: &Network, draws: &Draws, out: &mut Output) {
    for (at, node) in network.nodes.iter().enumerate() {
        let Op::Dropout { percent, channels } = node.op else { continue };
        let mut size = node.output.dims();
        if channels {
            size.iter_mut().skip(1).for_each(|n| *n = 1);
        }
        size.insert(0, BATCH);
        let mask = draws.mask(at, size.iter().product(), percent);
        let factors: Vec<f32> = mask.iter().map(|&stays| f32::from(stays) * scale(percent)).collect();
        out.add(format!("mask.{}.{}", node.part, node.name), &size, &factors);
    }
}

/// Tensors on their way into a file.
#[derive(Default)]
struct Output(Vec<(String, Vec<usize>, Vec<u8>)>);

impl Output {
    fn add(&mut self, name: String, shape: &[usize], values: &[f32]) {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.0.push((name, shape.to_vec(), bytes));
    }

    fn tensor(&mut self, name: &str, tensor: &Tensor) -> Result<(), Failure> {
        let shape: Vec<usize> = tensor.size().iter().map(|&n| n as usize).collect();
        let values = Vec::<f32>::try_from(tensor.f_detach()?.f_contiguous()?.f_view(-1)?)?;
        self.add(name.to_owned(), &shape, &values);
        Ok(())
    }

    /// Everything, with code and what the graph says in the file's metadata.
    fn write(&self, network: &Network, path: &Path) -> Result<(), Failure> {
        let shapes = network.nodes.iter().map(|node| {
            let size = node.output.dims().iter().map(ToString::to_string).collect::<Vec<_>>();
            format!("{}.{}={}", node.part, node.name, size.join("x"))
        });
        let parameters: usize = network.params().map(TensorSpec::count).sum();
        let code = |code: Result<String, fm_net::NotCovered>| code.unwrap_or_else(|error| error.to_string());
        let metadata = HashMap::from([
            ("arch".to_owned(), network.arch.to_string()),
            ("parameters".to_owned(), parameters.to_string()),
            ("macs".to_owned(), network.macs().to_string()),
            ("shapes".to_owned(), shapes.collect::<Vec<_>>().join(" ")),
            ("pytorch".to_owned(), code(fm_net::pytorch(network))),
            ("keras".to_owned(), code(fm_net::keras(network))),
        ]);
        let views = self.0.iter().map(|(name, shape, bytes)| {
            Ok((name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes)?))
        });
        let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
        Ok(safetensors::serialize_to_file(views, Some(metadata), path)?)
    }
}
