//! Names of runs' directories.

use toml::Value;

use super::{Pretrain, Protocol, RECIPES, Role, RunSpec, text};

/// The longest name of a run, in bytes: a file of a sweep's is called `NAME.failed` too.
pub const LONGEST_NAME: usize = 200;

/// Keys that [`RunSpec::stem`] says, beside those of composition.
const SAID: [&str; 4] = ["arch", "epochs", "seed", "protocol"];

/// Keys of what is scored beside a run's own end: no part of what the run is, but of what it leaves.
pub(crate) const SCORED_TOO: [&str; 2] = ["score-at", "average"];

impl RunSpec {
    /// The name of the run's directory: as given, or its [stem](Self::stem).
    #[must_use]
    pub fn directory(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.stem())
    }

    /// A name from architecture, composition, protocol, epochs and seed.
    #[must_use]
    pub fn stem(&self) -> String {
        if self.fast_dev_run {
            return "fast-dev-run".to_owned();
        }
        let protocol = if self.protocol == Protocol::Notebook { "-notebook" } else { "" };
        let (arch, arm) = (self.arch_name(), self.slug());
        format!("{arch}{arm}{protocol}-{}ep-seed{}", self.epochs, self.seed)
    }

    /// Keys that the stem leaves out and that are not at their default, for [`with_keys`]; those of a recipe of the
    /// project's as its name. What [`Role::Resolved`] keys come to, the statement does not know.
    #[must_use]
    pub fn unsaid(&self) -> Vec<(&'static str, String)> {
        // The length of a pretraining has a default of its own.
        let usual = Self { pretrain: self.pretrain.clone(), ..Self::default() }.check().unwrap_or_default();
        let is_said = |key: &str, heading: &str| {
            SAID.contains(&key) || (heading == "Composition" && key != "pretrain-epochs")
        };
        let decides = |role: Role| matches!(role, Role::Decides);
        let fields = Self::fields().iter().filter(|field| {
            (decides(field.role) || SCORED_TOO.contains(&field.key.as_str()))
                && !is_said(&field.key, field.heading)
                && self.get(&field.key) != usual.get(&field.key)
        });
        let recipe = RECIPES.iter().map(|recipe| (recipe, recipe.table())).find(|(_, keys)| {
            let same = |(key, value): (&String, &Value)| self.get(key).map(|v| text(&v)) == Some(text(value));
            !keys.is_empty() && keys.iter().all(same)
        });
        let keys = recipe.as_ref().map(|(_, keys)| keys);
        let of_recipe = |key: &str| keys.is_some_and(|keys| keys.contains_key(key));
        let others = fields.filter(|field| !of_recipe(&field.key)).map(|field| {
            let value = self.get(&field.key).filter(|_| !field.switch);
            (field.key.as_str(), value.map_or_else(String::new, |value| shown(&value)))
        });
        recipe.iter().map(|(recipe, _)| (recipe.name, String::new())).chain(others).collect()
    }

    /// The architecture as a piece of a file name: the whole string where it is short.
    fn arch_name(&self) -> String {
        const MOST: usize = 40;
        let text = self.arch.to_string();
        if text.len() <= MOST {
            return text;
        }
        let digest = crate::sha256(text.as_bytes());
        format!("{}~{}", &text[..MOST], &digest[..8])
    }

    /// The composition as a piece of a directory's name, empty for `joint`.
    fn slug(&self) -> String {
        let mut arm = self.arm();
        if let Pretrain::File(path) = &self.pretrain {
            arm = arm.replace(&path.display().to_string(), "file");
        }
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let slug: String = arm.replace(['(', ')'], "").chars().map(plain).collect();
        if slug == "joint" { String::new() } else { format!("-{slug}") }
    }
}

/// A name with keys behind it: `cnn-5ep-seed0` and `lr` 0.003 make `cnn-5ep-seed0-lr0.003`.
#[must_use]
pub fn with_keys<'a>(stem: &str, keys: impl IntoIterator<Item = (&'a str, String)>) -> String {
    // A name is one directory.
    let plain = |value: String| value.replace(['/', '\\'], "-");
    keys.into_iter().fold(stem.to_owned(), |name, (key, value)| format!("{name}-{key}{}", plain(value)))
}

/// A value in a name.
#[must_use]
pub fn shown(value: &Value) -> String {
    match value {
        // Debug writes 1e30 as that, not with thirty zeros.
        Value::Float(number) => format!("{number:?}"),
        other => text(other).unwrap_or_default(),
    }
}

/// The name, or where it is too long for a file system the beginning of it and of the run's id.
#[must_use]
pub fn fitting(name: &str, run_id: &str) -> String {
    if name.len() <= LONGEST_NAME {
        return name.to_owned();
    }
    let end = (0..=LONGEST_NAME - 9).rev().find(|&at| name.is_char_boundary(at)).unwrap_or(0);
    format!("{}~{}", &name[..end], &run_id[..8.min(run_id.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> String {
        let spec = RunSpec::read(&text.parse().unwrap()).unwrap().check().unwrap();
        with_keys(&spec.stem(), spec.unsaid())
    }

    #[test]
    fn a_name_says_what_is_not_the_default() {
        for (text, name) in [
            ("", "cnn-50ep-seed0"),
            ("lr = 0.003\nepochs = 2", "cnn-2ep-seed0-lr0.003"),
            ("batch-size = 64\npatience = 3", "cnn-50ep-seed0-batch-size64-patience3"),
            ("optimizer = 'sgd'\nschedule = 'cosine'", "cnn-50ep-seed0-optimizersgd-schedulecosine"),
            (
                "optimizer = 'adamw'\nweight-decay = 0.1\ndecay-all = true",
                "cnn-50ep-seed0-optimizeradamw-weight-decay0.1-decay-all",
            ),
            ("pretrain = 'autoencoder'", "cnn-fine-tuned-from-autoencoder-50ep-seed0"),
            (
                "pretrain = 'autoencoder'\npretrain-epochs = 2",
                "cnn-fine-tuned-from-autoencoder-50ep-seed0-pretrain-epochs2",
            ),
            ("score-at = [1, 5]\naugment = 'flip,shift2'", "cnn-50ep-seed0-augmentflip,shift2-score-at1,5"),
            // What cannot change a result is left out.
            ("threads = 3\ncheckpoint-every = 2\ncode-memory = 7", "cnn-50ep-seed0"),
        ] {
            assert_eq!(named(text), name, "{text}");
        }
    }

    #[test]
    fn a_recipe_goes_by_its_name() {
        let strong = RECIPES[1].keys;
        assert_eq!(named(strong), "cnn-50ep-seed0-strong");
        assert_eq!(named(&format!("{strong}\nprecision = 'tf32'")), "cnn-50ep-seed0-strong-precisiontf32");
    }

    #[test]
    fn names_fit_a_file_system_and_are_one_directory() {
        let long = fitting(&"ü".repeat(150), "0123456789abcdef");
        assert!(long.len() <= LONGEST_NAME && long.ends_with("~01234567"), "{long}");
        assert_eq!(fitting("short", "0123456789abcdef"), "short");
        assert_eq!(with_keys("a", [("b", "c/d".to_owned())]), "a-bc-d");
        assert_eq!(shown(&Value::Float(1e30)), "1e30");
    }
}
