//! What training changes, as named groups of tensors and counters.

use std::collections::BTreeMap;

use fm_net::NamedTensor;
use fm_run::error::{Error, Kind, Result};

use crate::checkpoint::{BEST, RECENT};

/// All of an engine that training changes: named groups of tensors, and counters.
///
/// The group [`State::WEIGHTS`] holds every tensor of the network, buffers included. The others are the
/// optimizer's: each tensor has the name and shape of the one that it belongs to, and tensors that do not train
/// may be left out. A checkpoint names a tensor `group.tensor`, so a group's name has no dot; `weights`, `ema`, `best`
/// and names that begin with `recent` are taken.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// Tensors by group; `weights`, and for Adam `m` and `v`.
    pub groups: BTreeMap<String, Vec<NamedTensor>>,
    /// Counters by name; for Adam `step`.
    pub counters: BTreeMap<String, u64>,
}

impl State {
    /// The group of the network's own tensors.
    pub const WEIGHTS: &'static str = "weights";
    /// The group of their moving average, where a phase keeps one.
    pub const EMA: &'static str = "ema";

    /// A state of weights alone.
    #[must_use]
    pub fn of(weights: Vec<NamedTensor>) -> Self {
        Self { groups: BTreeMap::from([(Self::WEIGHTS.to_owned(), weights)]), counters: BTreeMap::new() }
    }

    /// Adds a group.
    #[must_use]
    pub fn with(mut self, group: &str, tensors: Vec<NamedTensor>) -> Self {
        self.groups.insert(group.to_owned(), tensors);
        self
    }

    /// Adds a counter.
    #[must_use]
    pub fn counting(mut self, counter: &str, value: u64) -> Self {
        self.counters.insert(counter.to_owned(), value);
        self
    }

    /// Adds an optimizer's groups and counters.
    ///
    /// # Errors
    /// [`Kind::Other`], a bug of the optimizer, when a group's name is taken or has a dot.
    pub fn join(mut self, optimizer: Self) -> Result<Self> {
        let bad = |name: &&String| {
            let reserved = name.contains('.') || [BEST, Self::EMA].contains(&name.as_str());
            reserved || name.starts_with(RECENT) || self.groups.contains_key(*name)
        };
        if let Some(name) = optimizer.groups.keys().find(bad) {
            let text = format!("the optimizer's state has a group '{name}', which is taken or has a dot");
            return Err(Error::new(Kind::Other, text).help("name the group otherwise"));
        }
        self.groups.extend(optimizer.groups);
        self.counters.extend(optimizer.counters);
        Ok(self)
    }

    /// The tensor of a group with this name.
    ///
    /// # Errors
    /// [`Kind::Mismatch`] when there is none.
    pub fn tensor(&self, group: &str, name: &str) -> Result<&NamedTensor> {
        let missing = || Error::new(Kind::Mismatch, format!("the state has no {group} of {name}"));
        self.group(group).iter().find(|t| t.name == name).ok_or_else(missing)
    }

    /// Sees that `optimizer` keeps all groups that are not the network's: what another one kept would be lost in
    /// silence. Groups without tensors do not count.
    ///
    /// # Errors
    /// [`Kind::Mismatch`] with the group that it does not keep.
    pub fn kept_by(&self, optimizer: &str, keeps: impl Fn(&str) -> bool) -> Result<()> {
        let mut others = self.groups.iter().filter(|(group, tensors)| {
            !tensors.is_empty() && ![Self::WEIGHTS, Self::EMA].contains(&group.as_str())
        });
        match others.find(|(group, _)| !keeps(group)) {
            Some((group, _)) => {
                let text =
                    format!("the state has a group '{group}', which the optimizer {optimizer} does not keep");
                Err(Error::new(Kind::Mismatch, text).help("resume with the optimizer that wrote it"))
            }
            None => Ok(()),
        }
    }

    /// A counter that must be there.
    ///
    /// # Errors
    /// [`Kind::Mismatch`] when there is none.
    pub fn count(&self, name: &str) -> Result<u64> {
        let missing = || Error::new(Kind::Mismatch, format!("the state has no counter {name}"));
        self.counters.get(name).copied().ok_or_else(missing)
    }

    /// A group's tensors; none where there is no such group.
    #[must_use]
    pub fn group(&self, name: &str) -> &[NamedTensor] {
        self.groups.get(name).map_or(&[], Vec::as_slice)
    }

    /// The network's tensors.
    #[must_use]
    pub fn weights(&self) -> &[NamedTensor] {
        self.group(Self::WEIGHTS)
    }

    /// A counter; 0 where there is no such counter.
    #[must_use]
    pub fn counter(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor() -> NamedTensor {
        NamedTensor { name: "head.dense1.bias".to_owned(), shape: vec![1], data: vec![0.5] }
    }

    #[test]
    fn groups_of_an_optimizer_have_names_of_their_own() {
        let weights = State::of(vec![]);
        let joined =
            weights.clone().join(State::default().with("velocity", vec![]).counting("step", 3)).unwrap();
        assert_eq!((joined.groups.len(), joined.counter("step")), (2, 3));
        let other = State::default().with("velocity", vec![tensor()]);
        assert_eq!(other.kept_by("heavy-ball", |group| group == "velocity"), Ok(()));
        let error = other.kept_by("adam", |group| group == "m" || group == "v").unwrap_err();
        assert!(error.message().contains("'velocity', which the optimizer adam"), "{error}");
        for taken in ["weights", "best", "a.b"] {
            let error = weights.clone().join(State::default().with(taken, vec![])).unwrap_err();
            assert!(error.to_string().contains(&format!("'{taken}'")), "{error}");
        }
        let missing = joined.tensor("velocity", "head.dense1.bias").unwrap_err();
        assert_eq!(missing.message(), "the state has no velocity of head.dense1.bias");
        assert_eq!(joined.count("t").unwrap_err().message(), "the state has no counter t");
    }
}
