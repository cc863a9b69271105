//! `fm-exp summary`: a network's layers.

use clap::Args;
use fm_models::{Arch, Network, Part};
use serde_json::json;

use crate::args::EncoderMode;
use crate::config::parse_arch;
use crate::error::{Error, Result};

/// Flags of `summary`.
#[derive(Debug, Args)]
pub(crate) struct SummaryArgs {
    /// Network
    #[arg(long, env = "FM_ARCH", default_value = "cnn")]
    arch: String,

    /// Number of classes
    #[arg(long, default_value_t = 10)]
    classes: usize,

    /// Whether the encoder trains
    #[arg(long, value_enum, default_value = "unfrozen")]
    encoder: EncoderMode,

    /// The autoencoder that pretrains the encoder, instead of the classifier
    #[arg(long)]
    autoencoder: bool,
}

pub(crate) fn run(args: &SummaryArgs, as_json: bool) -> Result<String> {
    if !(2..=256).contains(&args.classes) {
        return Err(Error::usage(format!("--classes must be from 2 to 256, got {}", args.classes)));
    }
    let spec = parse_arch(&args.arch)?;
    let frozen: &[Part] = if args.encoder == EncoderMode::Frozen { &[Part::Encoder] } else { &[] };
    if spec.arch != Arch::EncoderMlp && (args.autoencoder || !frozen.is_empty()) {
        let text = format!("--encoder and --autoencoder need --arch encoder-mlp, and this is {spec}");
        return Err(Error::usage(text));
    }
    let network =
        if args.autoencoder { Network::autoencoder(spec) } else { Network::new(spec, args.classes) };
    if !as_json {
        return Ok(fm_models::summary::table(&network, frozen));
    }
    let layers: Vec<_> = network
        .layers
        .iter()
        .map(|l| {
            let params: usize = l.params.iter().map(fm_models::Param::count).sum();
            json!({ "part": l.part.to_string(), "layer": l.name, "output": l.output, "params": params })
        })
        .collect();
    let total: usize = network.params().map(fm_models::Param::count).sum();
    let still: usize = frozen.iter().map(|&part| network.param_count(part)).sum();
    let (h, w) = network.seen();
    let summary = json!({ "arch": args.arch, "layers": layers, "params": total, "trainable": total - still, "frozen": still,
        "sees": [h, w] });
    Ok(format!("{summary:#}\n"))
}
