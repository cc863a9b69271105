//! Names of runs that are given none: two runs of different settings never share a directory.

use fm_data::{Dataset, DatasetName};
use fm_engines::ENGINES;
use fm_run::spec::{AUTO, DeviceRequest, fitting, with_keys};
use fm_run::{Facts, Identified, RunSpec};
use fm_train::{Plan, engine};

use crate::inputs;

/// The name of a run's directory: as given, or made from everything that tells it from a run of the defaults here.
pub(crate) fn of(run: &Identified, plan: &Plan, data: &Dataset) -> String {
    let spec = &run.spec;
    if spec.name.is_some() || spec.fast_dev_run {
        return spec.directory();
    }
    let keys = data_of(spec, data).into_iter().chain(spec.unsaid()).chain(resolved(run, plan));
    fitting(&with_keys(&spec.stem(), keys.collect::<Vec<_>>()), &run.run_id())
}

/// A data set that is not the usual one; a directory by the beginning of its contents' hash too.
fn data_of(spec: &RunSpec, data: &Dataset) -> Option<(&'static str, String)> {
    let hashed = |name: &str| format!("{name}~{}", short(&data.sha256));
    let is_usual = spec.dataset == RunSpec::default().dataset;
    match &data.name {
        DatasetName::Published(set) if spec.data_dir.is_some() && !data.warnings.is_empty() => {
            Some(("", hashed(set.slug)))
        }
        DatasetName::Published(set) => (!is_usual).then(|| ("", set.slug.to_owned())),
        DatasetName::Dir(path) => {
            Some(("", hashed(&path.file_name().map_or("data".into(), |name| name.to_string_lossy()))))
        }
    }
}

/// What the keys come to that the machine and files decide, where it is not what it would be without the keys.
fn resolved(run: &Identified, plan: &Plan) -> Vec<(&'static str, String)> {
    let (spec, facts) = (&run.spec, &run.facts);
    let mut keys = Vec::new();
    if spec.device != DeviceRequest::Auto || spec.engine != AUTO {
        let usual = usual(spec, plan);
        let kind = |device: &str| device.split(':').next().unwrap_or_default().to_owned();
        let other_device = usual.as_ref().is_none_or(|usual| kind(&usual.device) != kind(&facts.device));
        let other_engine = usual.as_ref().is_none_or(|usual| usual.engine != facts.engine);
        keys.extend(other_device.then(|| ("", kind(&facts.device))));
        keys.extend(other_engine.then(|| ("", facts.engine.clone())));
    }
    let deterministic = run.value("deterministic").and_then(|value| value.as_bool());
    keys.extend(deterministic.unwrap_or(false).then(|| ("deterministic", String::new())));
    keys.extend(facts.pretrain_sha256.as_deref().map(|sha256| ("from", short(sha256))));
    keys
}

/// What `auto` would choose here; none where it can choose nothing.
fn usual(spec: &RunSpec, plan: &Plan) -> Option<Facts> {
    let auto = RunSpec { device: DeviceRequest::Auto, engine: AUTO.to_owned(), ..spec.clone() };
    let names = |machine| engine::names(ENGINES, &auto.engine, plan, machine);
    let (machine, engine) = inputs::settled(auto.device, inputs::machine(&auto).ok()?, names).ok()?;
    Some(Facts { device: machine.device.to_string(), engine, ..Facts::default() })
}

fn short(sha256: &str) -> String {
    sha256[..8.min(sha256.len())].to_owned()
}
