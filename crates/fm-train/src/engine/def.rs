//! Engines as a program lists them, and which of them computes a network or trains a phase.

use fm_net::{NamedTensor, Network};
use fm_run::error::{Error, Result};
use fm_run::spec::AUTO;

use super::{Engine, Machine, Setup};
use crate::plan::{Phase, Plan};

/// An engine as a program lists it: a name, what it covers, and how it is built.
#[derive(Debug, Clone, Copy)]
pub struct EngineDef {
    /// What `--engine` and records call it.
    pub name: &'static str,
    /// What it is, for help.
    pub about: &'static str,
    /// Whether it computes this network on this machine; if not, why: `images of 3 channels`.
    pub covers: fn(&Network, Machine) -> Result<(), String>,
    /// Whether it trains as the phase says, on a network that it covers; if not, what stands in the way.
    pub trains: fn(&Phase) -> Result<(), String>,
    /// Builds it with data and tensors in place.
    pub build: BuildEngine,
}

/// See [`EngineDef::build`].
pub type BuildEngine = for<'a> fn(&Network, &[NamedTensor], Setup<'a>) -> Result<Box<dyn Engine + 'a>>;

/// The engine that `wanted` means for a network: one by name, or with [`AUTO`] the first in the list that covers it.
///
/// # Errors
/// A usage error: there is no such engine, or it does not cover the network (and why).
pub fn choose<'d>(
    engines: &'d [EngineDef],
    wanted: &str,
    network: &Network,
    machine: Machine,
) -> Result<&'d EngineDef> {
    pick(engines, wanted, network, machine, &|def| (def.covers)(network, machine))
}

/// The engine that `wanted` means for a phase: it covers the network and trains as the phase says.
///
/// # Errors
/// As for [`choose`].
pub fn choose_for<'d>(
    engines: &'d [EngineDef],
    wanted: &str,
    phase: &Phase,
    machine: Machine,
) -> Result<&'d EngineDef> {
    let able = |def: &EngineDef| (def.covers)(&phase.network, machine).and_then(|()| (def.trains)(phase));
    pick(engines, wanted, &phase.network, machine, &able)
}

fn pick<'d>(
    engines: &'d [EngineDef],
    wanted: &str,
    network: &Network,
    machine: Machine,
    able: &dyn Fn(&EngineDef) -> Result<(), String>,
) -> Result<&'d EngineDef> {
    if wanted == AUTO {
        let mut error = Error::usage(format!("no engine covers {} on {}", network.label(), machine.device));
        for def in engines {
            match able(def) {
                Ok(()) => return Ok(def),
                Err(why) => error = error.note(format!("{}: not covered: {why}", def.name)),
            }
        }
        return Err(error);
    }
    let Some(def) = engines.iter().find(|def| def.name == wanted) else {
        let known = engines.iter().map(|def| def.name).collect::<Vec<_>>().join(", ");
        return Err(
            Error::usage(format!("unknown engine '{wanted}'")).help(format!("known are {AUTO}, {known}"))
        );
    };
    able(def).map_err(|why| {
        Error::usage(format!("--engine {wanted}: not covered: {why}"))
            .help("use --engine auto, which takes the fastest engine that covers the network")
    })?;
    Ok(def)
}

/// Names of the engines that a plan needs, such as `fused` or `eager+fused`.
///
/// # Errors
/// As for [`choose`].
pub fn names(engines: &[EngineDef], wanted: &str, plan: &Plan, machine: Machine) -> Result<String> {
    let mut names = Vec::new();
    for phase in &plan.phases {
        names.push(choose_for(engines, wanted, phase, machine)?.name);
    }
    names.dedup();
    Ok(names.join("+"))
}
