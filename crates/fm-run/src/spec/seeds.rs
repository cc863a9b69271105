//! Which seed draws what.

use toml::Table;

use super::RunSpec;

/// The keys that are seeds: of everything, and of one purpose alone. Runs that differ by any of them differ by chance.
pub const SEEDS: [&str; 4] = ["seed", "seed-init", "seed-order", "seed-augment"];

/// The seeds of what a run draws. The split has [`RunSpec::seed`] itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seeds {
    /// Of the initial weights.
    pub init: u64,
    /// Of what each step draws: the batch order and dropout's masks.
    pub order: u64,
    /// Of the changes to images.
    pub augment: u64,
}

/// Takes the seeds out of a run's keys: what is left is of all its repetitions.
pub fn forget_seeds(keys: &mut Table) {
    for seed in SEEDS {
        keys.remove(seed);
    }
}

impl RunSpec {
    /// The values of [`SEEDS`]; none for a purpose without a seed of its own.
    #[must_use]
    pub fn given_seeds(&self) -> [Option<u64>; SEEDS.len()] {
        [Some(self.seed), self.seed_init, self.seed_order, self.seed_augment]
    }

    /// What each purpose draws from: a seed of its own where one is given.
    #[must_use]
    pub fn seeds(&self) -> Seeds {
        let own = |seed: Option<u64>| seed.unwrap_or(self.seed);
        Seeds { init: own(self.seed_init), order: own(self.seed_order), augment: own(self.seed_augment) }
    }
}
