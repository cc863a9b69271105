//! Axes of a grid that are sampled: a range and a scale in place of a list.
//!
//! ```toml
//! lr = "log 1e-4..1e-1 x 16"             # an axis of its own: 16 values, combined with all others
//! batch-size = "log integer 16..256"     # without a number: sampled together with others like it,
//! encoder-lr = "log 1e-5..1e-2"
//! [sample]                               # as so many points
//! points = 64
//! seed = 0                               # of the draws; it has nothing to do with the runs' seeds
//! method = "sobol"                       # or "random"
//! ```
//!
//! Points are an Owen-scrambled Sobol sequence, which covers the ranges more evenly than independent numbers
//! do, or those. A point depends on seed, key and its number alone; sampled together, the n-th key in
//! alphabetical order is the n-th dimension. Numbers are rounded to four significant digits, so that they read
//! well in names and are the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use toml::{Table, Value};

use crate::error::{Error, Result};

/// As many points as the Sobol sequence has.
const MOST: usize = 1 << 16;

/// Takes the sampled axes out of a grid. Those with a number of their own go back in as lists; the others come
/// back as tables of their keys, a table a point, or one empty table if there are none.
///
/// # Errors
/// A usage error that names the key.
pub(super) fn taken(grid: &mut Table) -> Result<Vec<Table>> {
    let settings = grid.remove("sample").map_or_else(|| Ok(Settings::default()), Settings::read)?;
    let mut joint: Vec<(String, Axis)> = Vec::new();
    for (key, value) in grid.iter_mut() {
        let Some(axis) = text_of(key, value).map(|text| Axis::read(key, text)).transpose()? else { continue };
        match axis.count {
            Some(count) => {
                let seed = settings.seed ^ hash(key);
                let unit = |index| settings.method.unit(index, 0, seed);
                *value = Value::Array((0..count).map(|index| axis.at(unit(index))).collect());
            }
            None => joint.push((key.clone(), axis)),
        }
    }
    let Some(points) = settings.points else {
        return match joint.first() {
            None => Ok(vec![Table::new()]),
            Some((key, _)) => Err(Error::usage(format!("{key} has a range and no number of values"))
                .help("write x 16 behind the range, or points = 64 under [sample]")),
        };
    };
    if joint.is_empty() {
        return Err(Error::usage("[sample] says how many points, and no key has a range without a number")
            .help("take the x and number off the ranges to sample together"));
    }
    joint.sort_by(|a, b| a.0.cmp(&b.0));
    for (key, _) in &joint {
        grid.remove(key);
    }
    let point = |index| {
        let value = |(dimension, (key, axis)): (usize, &(String, Axis))| {
            (key.clone(), axis.at(settings.method.unit(index, dimension, settings.seed)))
        };
        joint.iter().enumerate().map(value).collect()
    };
    Ok((0..points).map(point).collect())
}

/// The text of an axis that is sampled: from a file, or a flag's only value.
fn text_of<'a>(key: &str, value: &'a Value) -> Option<&'a str> {
    let text = match value {
        Value::Array(list) if list.len() == 1 => list[0].as_str()?,
        other => other.as_str()?,
    };
    let is_path = fm_run::RunSpec::field(key).is_some_and(|field| field.heading == "Data");
    let first = text.split_whitespace().next()?;
    (!is_path && ["log", "linear", "integer"].contains(&first)).then_some(text)
}

/// How points are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Sobol,
    Random,
}

impl Method {
    fn named(name: &str) -> Option<Self> {
        match name {
            "sobol" => Some(Self::Sobol),
            "random" => Some(Self::Random),
            _ => None,
        }
    }

    /// The coordinate of a point, from 0 to below 1.
    fn unit(self, index: usize, dimension: usize, seed: u32) -> f64 {
        match self {
            Self::Sobol => f64::from(sobol_burley::sample(index as u32, dimension as u32, seed)),
            Self::Random => {
                let mut key = [0; 32];
                key[..4].copy_from_slice(&seed.to_le_bytes());
                let mut generator = ChaCha8Rng::from_seed(key);
                generator.set_stream(dimension as u64);
                generator.set_word_pos(index as u128);
                f64::from(generator.next_u32()) / 4_294_967_296.0
            }
        }
    }
}

/// What `[sample]` says.
#[derive(Debug)]
struct Settings {
    points: Option<usize>,
    seed: u32,
    method: Method,
}

impl Default for Settings {
    fn default() -> Self {
        Self { points: None, seed: 0, method: Method::Sobol }
    }
}

impl Settings {
    fn read(value: Value) -> Result<Self> {
        let Value::Table(table) = value else {
            return Err(Error::usage(format!("sample is {value}, expected a table [sample]")));
        };
        let mut settings = Self::default();
        for (key, value) in &table {
            let number = |most: usize| {
                let number = value.as_integer().and_then(|n| usize::try_from(n).ok());
                number.filter(|n| *n <= most).ok_or(format!("a number up to {most}"))
            };
            let set = match key.as_str() {
                "points" => number(MOST).map(|n| settings.points = Some(n)),
                "seed" => number(u32::MAX as usize).map(|n| settings.seed = n as u32),
                "method" => {
                    let method = value.as_str().and_then(Method::named);
                    method.map(|method| settings.method = method).ok_or("\"sobol\" or \"random\"".to_owned())
                }
                _ => {
                    let text = format!("unknown key '{key}' under [sample]");
                    return Err(Error::usage(text).help("there are points, seed and method"));
                }
            };
            set.map_err(|wanted| {
                Error::usage(format!("{key} under [sample] is {value}, expected {wanted}"))
            })?;
        }
        if settings.points == Some(0) {
            return Err(Error::usage("points under [sample] is 0, expected at least 1"));
        }
        Ok(settings)
    }
}

/// A range with its scale.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Axis {
    log: bool,
    integer: bool,
    low: f64,
    high: f64,
    count: Option<usize>,
}

impl Axis {
    /// `[log|linear] [integer] LOW..HIGH [x N]`.
    fn read(key: &str, text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::usage(format!("{key} = \"{text}\": {why}")).help(
                "a range is written as \"log 1e-4..1e-1 x 16\", \"linear 0..0.5\" or \"log integer 16..256\"",
            )
        };
        let mut words = text.split_whitespace().peekable();
        let log = words.next_if_eq(&"log").is_some();
        if !log {
            words.next_if_eq(&"linear");
        }
        let integer = words.next_if_eq(&"integer").is_some();
        let range = words.next().and_then(|range| range.split_once(".."));
        let (low, high) = range.ok_or_else(|| wrong("there is no range"))?;
        let number = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite());
        let (Some(low), Some(high)) = (number(low), number(high)) else {
            return Err(wrong("its ends are no numbers"));
        };
        let count = match (words.next(), words.next().map(str::parse::<usize>), words.next()) {
            (None, ..) => None,
            (Some("x"), Some(Ok(count)), None) if (1..=MOST).contains(&count) => Some(count),
            _ => return Err(wrong(&format!("behind the range stands x and a number from 1 to {MOST}"))),
        };
        if low >= high {
            return Err(wrong("its first end is not below its second"));
        }
        if log && low <= 0.0 {
            return Err(wrong("a logarithmic range begins above 0"));
        }
        if integer && (low.fract() != 0.0 || high.fract() != 0.0 || high.abs().max(low.abs()) > 1e9) {
            return Err(wrong("its ends are no whole numbers up to 1e9"));
        }
        if let Some(count) = count.filter(|count| integer && *count as f64 > high - low + 1.0) {
            return Err(wrong(&format!("there are fewer than {count} whole numbers in it")));
        }
        Ok(Self { log, integer, low, high, count })
    }

    /// The value at a share of the way from its low end to its high end.
    fn at(&self, unit: f64) -> Value {
        // A whole number stands for all that round to it, the ends too.
        let half = if self.integer { 0.5 } else { 0.0 };
        let (low, high) = (self.low - half, self.high + half);
        let value = if self.log { low * (high / low).powf(unit) } else { low + unit * (high - low) };
        if self.integer {
            return Value::Integer(value.round().clamp(self.low, self.high) as i64);
        }
        let rounded = format!("{value:.3e}").parse().unwrap_or(value);
        Value::Float(f64::clamp(rounded, self.low, self.high))
    }
}

/// Sets the draws of one key apart from those of another.
fn hash(key: &str) -> u32 {
    u32::from_str_radix(&fm_run::sha256(key.as_bytes())[..8], 16).unwrap_or(0)
}

#[cfg(test)]
#[path = "sample_tests.rs"]
mod tests;
