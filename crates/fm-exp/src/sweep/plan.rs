//! `fm-exp sweep plan`: the canonical list of a sweep's runs.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::{ArgAction, ArgMatches, Args, Command, FromArgMatches};
use fm_data::Dataset;
use fm_engines::ENGINES;
use fm_run::spec::{DeviceRequest, Shorter, fitting, forget_seeds, shown, with_keys};
use fm_run::terminal::counted;
use fm_run::{Facts, Field, Identified, Role, RunSpec, store};
use fm_train::engine::{self, Device};
use fm_train::{Machine, recipe};
use toml::{Table, Value};

use super::all::json;
use super::overview::Overview;
use super::planned::{FORMAT, PlannedRun, SweepPlan};
use super::{estimate, grid};
use crate::commands::compare::points;
use crate::commands::power;
use crate::error::{Error, Result};
use crate::families::WidthFlags;
use crate::logging::Console;
use crate::{args, completion, inputs, recipes};

/// What says which data set: its name, and where its files are.
type DataKey = (PathBuf, Option<PathBuf>);

/// Flags of `sweep plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    grid: GridArgs,

    /// Write the plan into this file
    #[arg(long, value_name = "FILE", help_heading = "Plan")]
    out: Option<PathBuf>,

    /// Print a table of what would run and how long it takes in place of the plan
    #[arg(long, help_heading = "Plan")]
    table: bool,
}

/// Flags that make a grid: a list for each key of a run, separated by commas.
#[derive(Debug, Args)]
pub(crate) struct GridArgs {
    /// TOML file: keys of `train` with a value or a list each, and [[arm]] tables
    grid: Option<PathBuf>,

    /// Seeds: 0..9 (both ends), or 0,3,5..7
    #[arg(long, value_name = "SEEDS", visible_alias = "seed")]
    seeds: Option<String>,

    /// As many seeds as find a true difference of so many percentage points in 80 % of cases, by the runs in --pilot
    #[arg(long, value_name = "POINTS", value_parser = points, requires = "pilot", conflicts_with = "seeds")]
    detect: Option<f64>,

    /// Directory of results of at least two groups, which tell how large the noise is
    #[arg(long, value_name = "DIR", requires = "detect")]
    pilot: Option<PathBuf>,

    #[command(flatten)]
    keys: GridKeys,
}

/// A list for each key of a run, separated by commas.
#[derive(Debug, Args)]
pub(crate) struct GridKeys {
    #[arg(long, value_name = "NAME|FILE", help = recipes::HELP, help_heading = "Recipe", value_delimiter = ',', add = completion::recipes())]
    recipe: Vec<String>,

    #[command(flatten)]
    width: WidthFlags,

    #[command(flatten)]
    axes: Axes,
}

impl GridKeys {
    /// The lists as keys of a grid, over what is there.
    pub(crate) fn put_into(&self, grid: &mut Table) -> Result<()> {
        grid.extend(self.axes.0.clone());
        if !self.recipe.is_empty() {
            grid.insert(recipes::KEY.to_owned(), self.recipe.clone().into());
        }
        self.width.put_into(grid)
    }

    /// Whether they say nothing at all.
    fn is_empty(&self) -> bool {
        self.recipe.is_empty() && self.axes.0.is_empty() && self.width.set.is_empty()
    }
}

/// The lists that flags give, by key.
#[derive(Debug, Clone, Default)]
struct Axes(Table);

impl Axes {
    /// The keys that a flag may list. Seeds have a flag of their own.
    fn fields() -> impl Iterator<Item = &'static Field> {
        RunSpec::fields().iter().filter(|field| grid::may_vary(field) && field.role != Role::Replicates)
    }

    /// A path may hold a comma, and there is one of each; of other values with commas, a flag gives one.
    fn is_list(field: &Field) -> bool {
        field.heading != "Data" && !field.commas
    }
}

impl FromArgMatches for Axes {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut table = Table::new();
        for field in Self::fields() {
            let values = matches.get_many::<String>(&field.key).into_iter().flatten();
            let values: Vec<Value> = values.map(|text| Value::from(text.as_str())).collect();
            match field.role {
                _ if values.is_empty() => {}
                // Runs that differ by it would be the same runs.
                Role::Place(_) => {
                    let one: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
                    table.insert(field.key.clone(), one.join(",").into());
                }
                _ => _ = table.insert(field.key.clone(), Value::Array(values)),
            }
        }
        Ok(Self(table))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

impl GridArgs {
    /// Whether they say nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        let Self { grid, seeds, detect, keys, .. } = self;
        grid.is_none() && seeds.is_none() && detect.is_none() && keys.is_empty()
    }
}

impl Args for Axes {
    fn augment_args(command: Command) -> Command {
        let axis = |field: &'static Field| {
            let arg = args::flag(field).num_args(1).action(ArgAction::Append);
            // What the environment says of runs is for one run, but for the data set.
            let arg = if field.heading == "Data" { arg } else { arg.env(None::<&str>) };
            if Self::is_list(field) { arg.value_delimiter(',') } else { arg }
        };
        command.args(Self::fields().map(axis))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// What a run will come to here, whatever its seed.
fn facts(spec: &RunSpec, data: &Dataset) -> Result<Facts> {
    let network = recipe::network(&spec.arch, data)?;
    let plan = recipe::plan(spec, &network, data)?;
    let machine =
        Machine { device: device_of(spec.device)?, threads: spec.threads, precision: spec.precision };
    let names = |machine| engine::names(ENGINES, &spec.engine, &plan, machine);
    let (machine, engine) = inputs::settled(spec.device, machine, names)?;
    Ok(Facts {
        device: machine.device.to_string(),
        engine,
        data_sha256: data.sha256.clone(),
        pretrain_sha256: recipe::given_encoder(spec, &network)?.map(|given| given.sha256),
    })
}

/// The device that runs will have. A GPU need not be in this machine; `auto` is what is here.
fn device_of(request: DeviceRequest) -> Result<Device> {
    match request {
        DeviceRequest::Cpu => Ok(Device::Cpu),
        DeviceRequest::Cuda(index) => Ok(Device::Cuda(index.unwrap_or(0))),
        DeviceRequest::Auto => fm_engines::resolve(request),
    }
}

pub(super) fn run(args: &PlanArgs, console: &Console) -> Result<String> {
    let (plan, data) = make(with_flags(&args.grid)?)?;
    // A terminal is for people.
    let is_table = args.table || (args.out.is_none() && std::io::stdout().is_terminal());
    let table = Overview::of(&plan, None)?;
    if is_table {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let table = table.timed(estimate::seconds(&plan.runs, &data, threads)?.as_ref(), 1).to_string();
        let Some(out) = &args.out else {
            let hint = if args.table { "" } else { "--out FILE, or > FILE, writes the plan\n" };
            return Ok(table + hint);
        };
        store::write(out, json(&plan)?.as_bytes())?;
        return Ok(table);
    }
    console.say(&table.to_string());
    let Some(out) = &args.out else { return json(&plan) };
    store::write(out, json(&plan)?.as_bytes())?;
    Ok(format!("{} in {}\n", counted(plan.runs.len() as u64, "run"), out.display()))
}

/// The plan of a grid, and the data set that its runs train on.
///
/// # Errors
/// A usage error about a key; what loading the data says.
pub(crate) fn make(grid: Table) -> Result<(SweepPlan, Dataset)> {
    let mut runs = Vec::new();
    let mut data: Option<(DataKey, Dataset)> = None;
    // Thousands of seeds differ by nothing else.
    let mut known: BTreeMap<String, Facts> = BTreeMap::new();
    for (mut flags, lengths) in by_length(grid::combinations(grid)?)? {
        let longest = lengths.last().copied();
        if let Some(longest) = longest {
            flags.insert("epochs".to_owned(), longest.into());
        }
        let on_the_way: Vec<Value> = lengths.iter().rev().skip(1).rev().map(|&n| Value::from(n)).collect();
        if !on_the_way.is_empty() {
            flags.insert("score-at".to_owned(), Value::Array(on_the_way));
        }
        let spec = RunSpec::read(&flags)?.check()?;
        for &shorter in lengths.iter().rev().skip(1) {
            let mut flags = flags.clone();
            flags.insert("epochs".to_owned(), shorter.into());
            flags.remove("score-at");
            RunSpec::read(&flags)?.check()?;
        }
        // All have one data set: a grid over data sets would be compared with itself.
        let key = (spec.dataset.clone(), spec.data_dir.clone());
        if data.as_ref().is_some_and(|(of, _)| *of != key) {
            return Err(Error::usage("a sweep has one data set; make a plan for each"));
        }
        let (_, loaded) = match &mut data {
            Some(loaded) => loaded,
            none => none.insert((key, inputs::load(&spec, false)?)),
        };
        let mut experiment = flags.clone();
        forget_seeds(&mut experiment);
        let facts = match known.entry(experiment.to_string()) {
            Entry::Occupied(facts) => facts.get().clone(),
            Entry::Vacant(none) => none.insert(facts(&spec, loaded)?).clone(),
        };
        let run = Identified { spec, facts, provenance: Table::new() };
        let spec = &run.spec;
        flags.insert("device".to_owned(), run.facts.device.as_str().into());
        // libtorch's sums depend on the number of threads: what a plan gives must not depend on --jobs.
        if run.facts.device == Device::Cpu.to_string()
            && run.facts.engine.contains("eager")
            && spec.threads.is_none()
        {
            flags.insert("threads".to_owned(), 1.into());
        }
        flags.entry("epochs").or_insert(spec.epochs.into());
        runs.push(PlannedRun { name: spec.directory(), run_id: run.run_id(), flags });
    }
    name_apart(&mut runs);
    // By what a reader looks for first, then by whatever else differs.
    runs.sort_by_cached_key(|run| {
        let text = |key: &str| run.flags.get(key).map(ToString::to_string).unwrap_or_default();
        let seed = run.flags.get("seed").and_then(Value::as_integer).unwrap_or(0);
        (text("arch"), text("encoder"), text("pretrain"), text("lr"), seed, run.run_id.clone())
    });
    let Some((_, data)) = data else { return Err(Error::usage("the grid is empty")) };
    let note = "where a shorter run is the beginning of a longer one, each is trained once, to its largest number of \
                epochs: with a constant learning rate it is scored at the smaller ones, with wsd it branches off and \
                cools down to each; with other schedules and with patience each is trained for itself";
    let data_sha256 = data.sha256.clone();
    Ok((SweepPlan { format: FORMAT, data_sha256, note: note.to_owned(), runs }, data))
}

/// The grid of the file, with the flags in place of its keys.
pub(super) fn with_flags(args: &GridArgs) -> Result<Table> {
    let mut grid = Table::new();
    if let Some(path) = &args.grid {
        let text = fm_run::store::read_text(path, fm_run::store::MAX_KEYS)?;
        let bad = |e: toml::de::Error| {
            Error::usage(format!("{} is not a valid grid file: {}", path.display(), e.message()))
        };
        grid = text.parse().map_err(bad)?;
    }
    args.keys.put_into(&mut grid)?;
    let planned = match (args.detect, &args.pilot) {
        (Some(detect), Some(pilot)) => Some(power::seeds(pilot, detect)?),
        _ => None,
    };
    if let Some(seeds) = args.seeds.clone().or(planned.map(|seeds| format!("0..{}", seeds - 1))) {
        grid.remove("seed");
        grid.insert("seeds".to_owned(), seeds.into());
    }
    Ok(grid)
}

/// Runs that differ by their epochs alone become one, with its lengths in rising order.
fn by_length(runs: Vec<Table>) -> Result<Vec<(Table, Vec<u32>)>> {
    let mut groups: BTreeMap<String, (Table, Vec<u32>)> = BTreeMap::new();
    for mut run in runs {
        let untrained = run.get("epochs").and_then(Value::as_integer) == Some(0);
        let own = RunSpec::read(&run).is_ok_and(|spec| spec.shorter(spec.epochs) == Shorter::Own);
        let quick = run.get("fast-dev-run").and_then(Value::as_bool) == Some(true);
        let separate = untrained || own || quick;
        let own = if separate { run.to_string() } else { String::new() };
        let epochs = run.remove("epochs").map(|value| {
            let number = value.as_integer().and_then(|n| u32::try_from(n).ok());
            number.ok_or_else(|| Error::usage(format!("epochs must be a whole number, got {value}")))
        });
        let epochs = epochs.transpose()?;
        let group = groups.entry(format!("{run}{own}")).or_insert((run, Vec::new()));
        group.1.extend(epochs);
    }
    let sorted = |(run, mut lengths): (Table, Vec<u32>)| {
        lengths.sort_unstable();
        lengths.dedup();
        (run, lengths)
    };
    Ok(groups.into_values().map(sorted).collect())
}

/// Adds what their names leave out to runs of one name.
fn name_apart(runs: &mut [PlannedRun]) {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for run in &*runs {
        *count.entry(run.name.clone()).or_default() += 1;
    }
    let varied = |key: &str| {
        let values: std::collections::BTreeSet<String> =
            runs.iter().map(|r| r.flags.get(key).map(ToString::to_string).unwrap_or_default()).collect();
        values.len() > 1
    };
    // Keys that decide, and that the names do not say already.
    let said = ["arch", "epochs", "seed", "protocol", "device"];
    let deciding = RunSpec::fields().iter().filter(|f| f.role.decides() && f.heading != "Composition");
    let axes: Vec<&str> =
        deciding.map(|f| f.key.as_str()).filter(|key| !said.contains(key) && varied(key)).collect();
    for run in runs.iter_mut().filter(|run| count[&run.name] > 1) {
        let said = |key: &&'static str| Some((*key, shown(run.flags.get(*key)?)));
        run.name = with_keys(&run.name, axes.iter().filter_map(said).collect::<Vec<_>>());
    }
    let mut seen = std::collections::BTreeSet::new();
    for run in runs {
        run.name = fitting(&run.name, &run.run_id);
        if !seen.insert(run.name.clone()) {
            run.name = format!("{}-{}", run.name, &run.run_id[..8]);
        }
    }
}
