//! `fm-exp summary`: a network's layers, or the network as another framework's code.

use std::fmt::Write as _;

use clap::Args;
use fm_engines::ENGINES;
use fm_net::family::Families;
use fm_net::{Arch, Network, NotCovered, Operator as _, Part};
use fm_run::RunSpec;
use fm_run::spec::{AUTO, EncoderMode};
use fm_train::engine::{self, Machine};
use serde_json::json;
use toml::{Table, Value};

use crate::error::{Error, Result};
use crate::families::{self, WidthFlags};
use crate::recipes;

/// Flags of `summary`.
#[derive(Debug, Args)]
pub(crate) struct SummaryArgs {
    /// Network: a name, or a string of layers
    #[arg(long, env = "FM_ARCH", default_value = "cnn", add = crate::completion::networks())]
    arch: String,

    #[command(flatten)]
    width: WidthFlags,

    /// Number of classes
    #[arg(long, default_value_t = 10)]
    classes: usize,

    #[arg(long, value_name = "NAME|FILE", help = recipes::HELP)]
    recipe: Option<String>,

    /// Whether the encoder trains: frozen or unfrozen
    #[arg(long, default_value = "unfrozen")]
    encoder: String,

    /// The autoencoder that pretrains the encoder, instead of the classifier
    #[arg(long)]
    autoencoder: bool,

    /// Print the network as PyTorch code
    #[arg(long, conflicts_with_all = ["keras", "json"])]
    torch: bool,

    /// Print the network as Keras code
    #[arg(long, conflicts_with = "json")]
    keras: bool,
}

pub(crate) fn run(args: &SummaryArgs, as_json: bool) -> Result<String> {
    if !(2..=256).contains(&args.classes) {
        return Err(Error::usage(format!("--classes must be from 2 to 256, got {}", args.classes)));
    }
    let keys = [("arch", &args.arch), ("encoder", &args.encoder)];
    let keys = keys.map(|(key, text)| (key.to_owned(), Value::from(text.as_str())));
    let mut keys = Table::from_iter(keys);
    args.width.put_into(&mut keys)?;
    keys.extend(args.recipe.as_deref().map(|named| (recipes::KEY.to_owned(), named.into())));
    recipes::resolve(&mut keys)?;
    families::resolve(&mut keys, &Families::new(), |_| Ok(args.classes))?;
    let spec = RunSpec::read(&keys)?;
    let network = network(&spec.arch, args)?;
    let code = |code: std::result::Result<String, NotCovered>| {
        code.map_err(|e| Error::usage(e.to_string()).help("leave out --torch or --keras for the table"))
    };
    if args.torch {
        return code(fm_net::pytorch(&network));
    }
    if args.keras {
        return code(fm_net::keras(&network));
    }
    let frozen: &[Part] = if spec.encoder == EncoderMode::Frozen { &[Part::Encoder] } else { &[] };
    if as_json {
        return Ok(format!("{:#}\n", to_json(&network, frozen)));
    }
    let mut out = fm_net::summary::table(&network, frozen);
    let _ = writeln!(out, "\n{}", engines(&network));
    if args.recipe.is_some() {
        let _ = writeln!(out, "recipe: {}", spec.recipe());
    }
    Ok(out)
}

fn network(arch: &Arch, args: &SummaryArgs) -> Result<Network> {
    let network =
        if args.autoencoder { Network::autoencoder(arch) } else { Network::new(arch, args.classes) };
    network.map_err(|e| Error::usage(format!("{arch}: {e}")))
}

/// The engine that `auto` takes on the CPU, and why the faster ones do not cover the network.
fn engines(network: &Network) -> String {
    let machine = Machine::CPU;
    let mut text = match engine::choose(ENGINES, AUTO, network, machine) {
        Ok(def) => format!("engine on the CPU: {} ({})", def.name, def.about),
        Err(error) => format!("engine on the CPU: none: {error}"),
    };
    for def in ENGINES {
        if let Err(why) = (def.covers)(network, machine) {
            let _ = write!(text, "\n  {}: not covered: {why}", def.name);
        }
    }
    text
}

fn to_json(network: &Network, frozen: &[Part]) -> serde_json::Value {
    let node = |at: usize| {
        let node = &network.nodes[at];
        let tensors: usize = node.tensors.iter().map(fm_net::TensorSpec::count).sum();
        let inputs = network.inputs(node);
        json!({ "part": node.part.to_string(), "layer": node.name, "operation": node.op.describe(),
            "output": node.output.dims(), "values": tensors, "multiply_adds": node.op.macs(&inputs) })
    };
    let layers: Vec<_> = (0..network.nodes.len()).map(node).collect();
    let total: usize = network.params().map(fm_net::TensorSpec::count).sum();
    let still: usize = frozen.iter().map(|&part| network.param_count(part)).sum();
    let (h, w) = network.seen();
    json!({ "arch": network.arch.to_string(), "layers": layers, "params": total, "trainable": total - still,
        "frozen": still, "multiply_adds": network.macs(), "sees": [h, w] })
}
