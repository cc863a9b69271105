//! Flags of a run, made from its [statement](RunSpec): one for each key, with the environment variable of the
//! same name.
//!
//! Nothing is checked here but what clap checks; [`RunConfig`](crate::config::RunConfig) reads the values.

use std::ffi::OsStr;
use std::marker::PhantomData;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use fm_engines::ENGINES;
use fm_run::spec::{AUTO, to_text};
use fm_run::{Field, RunSpec};
use toml::{Table, Value};

use crate::completion;
use crate::error::Error;
use crate::families::WidthFlags;
use crate::recipes;

/// Flags of `train`.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// Keys of the run's statement.
    #[command(flatten)]
    pub keys: Keys,

    /// Values of keys that are not given otherwise, by name or from a file.
    #[arg(long, value_name = "NAME|FILE", help = recipes::HELP, help_heading = "Recipe", env = "FM_RECIPE", add = completion::recipes())]
    pub recipe: Option<String>,

    /// Which member of a family of networks.
    #[command(flatten)]
    pub width: WidthFlags,

    /// What the process does.
    #[command(flatten)]
    pub process: ProcessFlags,
}

/// What a process does with a run: no part of what the run is.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags are on or off")]
#[command(next_help_heading = "Results")]
pub struct ProcessFlags {
    /// Resume the interrupted run of that name, prolong a shorter one, or start it
    #[arg(long, conflicts_with = "overwrite")]
    pub resume: bool,

    /// Do not add a row to runs.csv (useful when many machines share a directory)
    #[arg(long)]
    pub no_record: bool,

    /// Read keys from a TOML file, such as a run's config.toml; flags and environment come first
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print what would run, and stop
    #[arg(long)]
    pub dry_run: bool,

    /// Refuse to be another run than this; what a sweep starts its runs with.
    #[arg(long, hide = true)]
    pub expect_run_id: Option<String>,

    /// Stop and save after N epochs, counted over all phases; what `sweep halve` starts its runs with.
    #[arg(long, hide = true, value_name = "N")]
    pub stop_after: Option<u32>,

    /// Stop and save when standard input ends; what a sweep starts its runs with.
    #[arg(long, hide = true)]
    pub stop_with_stdin: bool,
}

/// A set of keys that a command takes as flags.
pub trait KeySet {
    /// Whether the key is one of the set.
    fn has(field: &Field) -> bool;
}

/// Every key: what `train` takes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct All;

/// What computes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Computing;

/// Which data set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Data;

/// Which data set, which of its images train, and what is done to them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Training;

impl KeySet for All {
    fn has(_: &Field) -> bool {
        true
    }
}

impl KeySet for Computing {
    fn has(field: &Field) -> bool {
        ["device", "engine", "threads"].contains(&field.key.as_str())
    }
}

impl KeySet for Data {
    fn has(field: &Field) -> bool {
        field.heading == "Data"
    }
}

impl KeySet for Training {
    fn has(field: &Field) -> bool {
        Data::has(field) || ["augment", "protocol", "seed"].contains(&field.key.as_str())
    }
}

/// The keys that flags and environment give, as text, by name.
pub type Keys = KeysOf<All>;

/// [`Keys`] of a set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeysOf<S> {
    /// Text by key.
    pub table: Table,
    /// Those of the keys that the environment gave.
    from_environment: Vec<&'static Field>,
    set: PhantomData<S>,
}

/// The flag of a key.
pub(crate) fn flag(field: &'static Field) -> Arg {
    let arg = Arg::new(field.key.as_str())
        .long(field.key.as_str())
        .help(field.help.as_str())
        .help_heading(field.heading)
        .value_name(field.value_name)
        .allow_negative_numbers(true);
    // FM_DATA_DIR is one of the places that data are looked for in, not an order to look nowhere else.
    let arg = if field.key == "data-dir" { arg } else { arg.env(field.variable.as_str()) };
    if field.switch {
        return arg.num_args(0..=1).require_equals(true).default_missing_value("true");
    }
    let choices: Vec<(&str, &str)> = if field.key == "engine" {
        let auto = [(AUTO, "The fastest engine that covers the network")];
        auto.into_iter().chain(ENGINES.iter().map(|def| (def.name, def.about))).collect()
    } else {
        field.choices.to_vec()
    };
    if choices.is_empty() {
        // A path may be no UTF-8.
        return completion::of(field, arg)
            .value_parser(OsStringValueParser::new().map(|text| to_text(&text)));
    }
    let values = choices.into_iter().map(|(name, help)| PossibleValue::new(name).help(help));
    arg.value_parser(Choice(PossibleValuesParser::new(values)))
}

/// One of some values on the command line, any text in the environment: a variable that is wrong for `train`
/// must not keep `doctor` from running. [`KeysOf::read`] looks at it.
#[derive(Debug, Clone)]
struct Choice(PossibleValuesParser);

impl TypedValueParser for Choice {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        self.0.parse_ref(command, arg, value)
    }

    fn parse_ref_(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<String, clap::Error> {
        match source {
            ValueSource::EnvVariable => Ok(to_text(value)),
            _ => self.0.parse_ref(command, arg, value),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}

impl<S: KeySet> KeysOf<S> {
    fn fields() -> impl Iterator<Item = &'static Field> {
        RunSpec::fields().iter().filter(|field| S::has(field))
    }

    /// The keys, those of the environment checked one by one.
    ///
    /// # Errors
    /// A usage error that names the variable.
    pub fn read(self) -> Result<Table, Error> {
        for field in &self.from_environment {
            // The network may be a template.
            let is_family = field.key == "arch";
            let text = &self.table[&field.key];
            let one: Table = [(field.key.clone(), text.clone())].into_iter().collect();
            if !is_family {
                RunSpec::read(&one).map_err(|error| error.about(&field.variable))?;
            }
            let engines = || ENGINES.iter().map(|def| def.name).chain([AUTO]);
            if field.key == "engine" && !engines().any(|name| text.as_str() == Some(name)) {
                let known = engines().collect::<Vec<_>>().join(", ");
                return Err(Error::usage(format!("{} must be one of {known}, got {text}", field.variable)));
            }
        }
        Ok(self.table)
    }
}

impl<S: KeySet> FromArgMatches for KeysOf<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let (mut table, mut from_environment) = (Table::new(), Vec::new());
        for field in Self::fields() {
            let source = matches.value_source(&field.key);
            let is_variable = source == Some(ValueSource::EnvVariable);
            let given = is_variable || source == Some(ValueSource::CommandLine);
            let text = matches.get_one::<String>(&field.key).filter(|_| given);
            // A variable that is set to nothing says nothing.
            let Some(text) = text.filter(|text| !is_variable || !text.is_empty()) else { continue };
            from_environment.extend(is_variable.then_some(field));
            table.insert(field.key.clone(), Value::from(text.as_str()));
        }
        Ok(Self { table, from_environment, set: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.table.extend(Self::from_arg_matches(matches)?.table);
        Ok(())
    }
}

impl<S: KeySet> Args for KeysOf<S> {
    fn augment_args(command: Command) -> Command {
        command.args(Self::fields().map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
