//! `fm-exp summary`: a network's layers.

use clap::Args;
use fm_models::Network;
use serde_json::json;

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
}

pub(crate) fn run(args: &SummaryArgs, as_json: bool) -> Result<String> {
    if !(2..=256).contains(&args.classes) {
        return Err(Error::usage(format!("--classes must be from 2 to 256, got {}", args.classes)));
    }
    let network = Network::new(parse_arch(&args.arch)?, args.classes);
    if !as_json {
        return Ok(fm_models::summary::table(&network, &[]));
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
    let (h, w) = network.seen();
    let summary = json!({ "arch": args.arch, "layers": layers, "params": total, "sees": [h, w] });
    Ok(format!("{summary:#}\n"))
}
