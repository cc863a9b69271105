//! A plan for people: its groups of runs that differ by their seeds, and how long they take.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fm_run::RunSpec;
use fm_run::spec::{DeviceRequest, SEEDS, forget_seeds, shown};
use fm_run::terminal::{columns, counted};
use toml::Table;

use super::estimate::about;
use super::planned::{PlannedRun, SweepPlan};
use crate::error::Result;

/// Groups that are printed.
const MOST: usize = 24;

/// Runs that differ by their seeds alone.
struct Group {
    cells: Vec<String>,
    seeds: [BTreeSet<u64>; SEEDS.len()],
    ids: Vec<String>,
    /// Of the runs, those that are done.
    done: usize,
    /// Seconds of those that are not, and of the longest.
    seconds: Option<(f64, f64)>,
}

/// The table.
pub(super) struct Overview {
    head: String,
    /// Keys whose values differ, or that everyone looks for.
    columns: Vec<&'static str>,
    groups: Vec<Group>,
    /// Ids of runs that are done already.
    done: Vec<String>,
    /// Whether a GPU trains some of them.
    on_gpu: bool,
    tail: String,
}

impl Overview {
    /// Of a plan, and of the ids of its runs that are done, where that is known.
    ///
    /// # Errors
    /// A usage error about a key of the plan's.
    pub(super) fn of(plan: &SweepPlan, done: Option<Vec<String>>) -> Result<Self> {
        let specs = plan.runs.iter().map(|run| RunSpec::read(&run.flags)).collect::<Result<Vec<_>>>()?;
        let value = |spec: &RunSpec, key: &str| spec.get(key).map(|value| shown(&value)).unwrap_or_default();
        let default = RunSpec::default();
        let mut columns = vec!["arch", "epochs"];
        let mut common = Vec::new();
        for field in RunSpec::fields().iter().filter(|f| f.role.decides() && !SEEDS.contains(&f.key.as_str()))
        {
            let key = field.key.as_str();
            let first = specs.first().map(|spec| value(spec, key)).unwrap_or_default();
            if columns.contains(&key) {
            } else if specs.iter().any(|spec| value(spec, key) != first) {
                columns.push(key);
            } else if first != value(&default, key) || key == "dataset" {
                common.push(if field.switch { key.to_owned() } else { format!("{key} {first}") });
            }
        }
        let mut groups: Vec<(Table, Group)> = Vec::new();
        let mut index: BTreeMap<String, usize> = BTreeMap::new();
        for (run, spec) in plan.runs.iter().zip(&specs) {
            let mut key = run.flags.clone();
            forget_seeds(&mut key);
            let at = *index.entry(key.to_string()).or_insert_with(|| {
                let cell = |&column: &&'static str| {
                    if column != "epochs" {
                        return value(spec, column);
                    }
                    run.lengths().iter().map(u32::to_string).collect::<Vec<_>>().join(",")
                };
                let cells = columns.iter().map(cell).collect();
                groups.push((
                    key,
                    Group { cells, seeds: Default::default(), ids: Vec::new(), done: 0, seconds: None },
                ));
                groups.len() - 1
            });
            let group = &mut groups[at].1;
            group.seeds.iter_mut().zip(spec.given_seeds()).for_each(|(all, seed)| all.extend(seed));
            group.ids.push(run.run_id.clone());
            group.done += usize::from(done.as_ref().is_some_and(|done| done.contains(&run.run_id)));
        }
        let on_gpu = specs.iter().any(|spec| matches!(spec.device, DeviceRequest::Cuda(_)));
        let rows: usize = plan.runs.iter().map(|run| run.lengths().len()).sum();
        let runs = counted(plan.runs.len() as u64, "run");
        let trained = plan.runs.iter().map(PlannedRun::trained_epochs).sum::<Result<u64>>()?;
        let alone: u64 = plan.runs.iter().flat_map(PlannedRun::lengths).map(u64::from).sum();
        let more = if rows > plan.runs.len() {
            format!(
                " for {rows} table rows: shorter runs are read off longer ones, {trained} epochs for {alone}"
            )
        } else {
            String::new()
        };
        let head = format!("{runs}{more}; {}\n", common.join(", "));
        let groups = groups.into_iter().map(|(_, group)| group).collect();
        Ok(Self { head, columns, groups, done: done.unwrap_or_default(), on_gpu, tail: String::new() })
    }

    /// With the seconds of each run by its id, so many at a time; what is done takes none.
    pub(super) fn timed(mut self, seconds: Option<&BTreeMap<String, f64>>, jobs: usize) -> Self {
        let Some(seconds) = seconds else {
            self.tail = String::from("no estimate of time: the plan's device is not on this machine\n");
            return self;
        };
        let mut all = 0.0;
        for group in &mut self.groups {
            let left = group.ids.iter().filter(|id| !self.done.contains(id));
            let left: Vec<f64> = left.filter_map(|id| seconds.get(id).copied()).collect();
            group.seconds = Some((left.iter().sum(), left.iter().copied().fold(0.0, f64::max)));
            all += left.iter().sum::<f64>();
        }
        let time = about(all / jobs as f64);
        let jobs = if jobs == 1 { "one run at a time".to_owned() } else { format!("{jobs} runs at a time") };
        let beside = if self.on_gpu { "; less where they train side by side" } else { "" };
        self.tail =
            format!("about {time}, {jobs} (by a few steps of each network on this machine{beside})\n");
        self
    }
}

impl fmt::Display for Overview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.head)?;
        let is_timed = self.groups.iter().any(|group| group.seconds.is_some());
        let has_done = !self.done.is_empty();
        let mut header: Vec<String> = self.columns.iter().map(|&key| key.to_owned()).collect();
        header.extend(["seeds", "runs"].map(str::to_owned));
        header.extend(has_done.then(|| "done".to_owned()));
        header.extend(is_timed.then(|| "time each".to_owned()));
        let row = |group: &Group| {
            let mut cells = group.cells.clone();
            cells.extend([all_seeds(&group.seeds), group.ids.len().to_string()]);
            cells.extend(has_done.then(|| group.done.to_string()));
            cells.extend(group.seconds.map(|(_, most)| about(most)));
            cells
        };
        let rows: Vec<Vec<String>> =
            [header].into_iter().chain(self.groups.iter().take(MOST).map(row)).collect();
        for line in columns(&rows) {
            writeln!(f, "  {line}")?;
        }
        if let Some(more) = self.groups.len().checked_sub(MOST).filter(|&more| more > 0) {
            writeln!(f, "  … and {more} more")?;
        }
        f.write_str(&self.tail)
    }
}

/// Seeds, and those of single purposes behind their keys.
fn all_seeds(all: &[BTreeSet<u64>; SEEDS.len()]) -> String {
    let said = all.iter().zip(SEEDS).filter(|(seeds, _)| !seeds.is_empty()).map(|(all, key)| {
        let seeds = seeds(all);
        if key == SEEDS[0] { seeds } else { format!("{key} {seeds}") }
    });
    said.collect::<Vec<_>>().join("; ")
}

/// Seeds as one would type them: `0..9`, or `0,3,7`.
fn seeds(seeds: &BTreeSet<u64>) -> String {
    let (Some(first), Some(last)) = (seeds.first(), seeds.last()) else { return String::new() };
    if seeds.len() > 1 && last - first + 1 == seeds.len() as u64 {
        return format!("{first}..{last}");
    }
    let shown: Vec<String> = seeds.iter().take(6).map(u64::to_string).collect();
    shown.join(",") + if seeds.len() > 6 { ",…" } else { "" }
}

/// The runs of a plan that are done, by their ids.
pub(super) fn done(runs: &[PlannedRun], is_done: impl Fn(&PlannedRun) -> bool) -> Vec<String> {
    runs.iter().filter(|run| is_done(run)).map(|run| run.run_id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_as_one_types_them() {
        let seeds = |seeds: &[u64]| super::seeds(&seeds.iter().copied().collect());
        assert_eq!(seeds(&[2, 0, 1, 1]), "0..2");
        assert_eq!(seeds(&[7]), "7");
        assert_eq!(seeds(&[0, 3, 4]), "0,3,4");
        assert_eq!(seeds(&[0, 2, 4, 6, 8, 10, 12]), "0,2,4,6,8,10,…");
        let crossed = [vec![0], vec![0, 1], vec![5], vec![]].map(BTreeSet::from_iter);
        assert_eq!(all_seeds(&crossed), "0; seed-init 0..1; seed-order 5");
    }
}
