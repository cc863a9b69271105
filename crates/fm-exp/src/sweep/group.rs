//! Which runs of a sweep train side by side: those on a GPU whose engine is `cuda` and that differ in nothing but
//! seeds and learning rates, so many as fill it.

use std::collections::{BTreeMap, VecDeque};

use fm_data::Dataset;
use fm_engines::{Cuda, ENGINES, filling};
use fm_run::RunSpec;
use fm_run::spec::{DeviceRequest, forget_seeds};
use fm_train::engine::{self, Device};
use fm_train::recipe;
use toml::Table;

use super::child::Start;
use super::planned::PlannedRun;
use crate::error::{Error, Result};
use crate::inputs;

/// The learning rates, which runs side by side may differ in.
const RATES: [&str; 2] = ["lr", "encoder-lr"];

/// Runs that start together, and how.
type Together<'a> = (Vec<&'a PlannedRun>, Start);

/// Takes runs that wait, in groups.
pub(super) struct Groups {
    /// How many train side by side, where it is said.
    beside: Option<usize>,
    jobs: usize,
    /// How many of a kind fill a device.
    known: BTreeMap<(String, Option<String>), usize>,
    data: Option<Dataset>,
}

impl Groups {
    pub(super) fn new(beside: Option<usize>, jobs: usize) -> Self {
        Self { beside, jobs, known: BTreeMap::new(), data: None }
    }

    /// The runs that a process on `device` is to train: the first that waits, and those that it can have beside it.
    pub(super) fn next<'a>(
        &mut self,
        waiting: &mut VecDeque<(&'a PlannedRun, Start)>,
        device: Option<&str>,
    ) -> Option<Together<'a>> {
        let &(first, start) = waiting.front()?;
        let kind = kind(&first.flags);
        let alike = |(run, how): &(&PlannedRun, Start)| *how == start && self::kind(&run.flags) == kind;
        let count = waiting.iter().filter(|waits| alike(waits)).count();
        // None is left over that would have the device for itself, and no process has nothing to do.
        let processes = count.div_ceil(self.most(first, kind.to_string(), device)).max(self.jobs.min(count));
        let size = count.div_ceil(processes);
        let (mut runs, mut others) = (Vec::new(), VecDeque::new());
        for waits in waiting.drain(..) {
            if runs.len() < size && alike(&waits) { runs.push(waits.0) } else { others.push_back(waits) }
        }
        *waiting = others;
        Some((runs, start))
    }

    /// How many runs like this one may train side by side.
    fn most(&mut self, run: &PlannedRun, kind: String, device: Option<&str>) -> usize {
        if self.beside == Some(1) {
            return 1;
        }
        let key = (kind, device.map(str::to_owned));
        if let Some(&known) = self.known.get(&key) {
            return known;
        }
        // One that cannot be started says itself what is wrong with it.
        let most = self.ask(run, device).unwrap_or(1);
        self.known.insert(key, most);
        most
    }

    fn ask(&mut self, run: &PlannedRun, device: Option<&str>) -> Result<usize> {
        let mut spec = RunSpec::read(&run.flags)?.check()?;
        if let Some(device) = device {
            // As `Child::start` has it.
            let number = device.strip_prefix("cuda:").unwrap_or(device).parse().ok();
            spec.device = number.map_or_else(|| device.parse(), |n| Ok(DeviceRequest::Cuda(Some(n))))?;
        }
        let machine = inputs::machine(&spec)?;
        let Device::Cuda(index) = machine.device else { return Ok(1) };
        let data = match &mut self.data {
            Some(data) => data,
            none => none.insert(inputs::load_local(&spec)?),
        };
        let plan = recipe::plan(&spec, &recipe::network(&spec.arch, data)?, data)?;
        if engine::names(ENGINES, &spec.engine, &plan, machine)? != Cuda::NAME {
            return Ok(1);
        }
        self.beside.map_or_else(|| filling(index, &plan), Ok::<_, Error>)
    }
}

/// A run's keys but seeds and learning rates.
fn kind(flags: &Table) -> Table {
    let mut kind = flags.clone();
    forget_seeds(&mut kind);
    for rate in RATES {
        kind.remove(rate);
    }
    kind
}
