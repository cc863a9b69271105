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
mod tests {
    use super::*;

    fn sampled(text: &str) -> Result<(Table, Vec<Table>)> {
        let mut grid: Table = text.parse().unwrap();
        taken(&mut grid).map(|points| (grid, points))
    }

    fn floats(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|v| v.as_float().unwrap()).collect()
    }

    /// In 16 equal parts of the range, one of 16 values each.
    #[test]
    fn an_axis_of_its_own_is_a_list_over_its_whole_range() {
        let (grid, points) =
            sampled("lr = 'log 1e-4..1e-1 x 16'\nencoder-lr = ['linear 0..0.5 x 16']\nseeds = '0..1'")
                .unwrap();
        assert_eq!(points, [Table::new()]);
        assert_eq!(grid["seeds"].as_str(), Some("0..1"));
        let parts = |values: Vec<f64>, part: &dyn Fn(f64) -> f64| {
            let mut parts: Vec<i32> = values.into_iter().map(|v| (16.0 * part(v)) as i32).collect();
            parts.sort_unstable();
            parts
        };
        let all: Vec<i32> = (0..16).collect();
        assert_eq!(parts(floats(&grid["lr"]), &|v| (v / 1e-4).log10() / 3.0), all);
        assert_eq!(parts(floats(&grid["encoder-lr"]), &|v| v / 0.5), all);
        for value in floats(&grid["lr"]) {
            assert_eq!(format!("{value:.3e}").parse(), Ok(value), "four digits");
        }
    }

    #[test]
    fn points_depend_on_seed_and_number_alone() {
        let grid = |extra: &str| {
            let text =
                "lr = 'log 1e-4..1e-1'\nbatch-size = 'log integer 16..256'\nepochs = [1, 2]\n[sample]\n";
            sampled(&format!("{text}{extra}")).unwrap()
        };
        let (rest, points) = grid("points = 64");
        assert_eq!((points.len(), rest.len()), (64, 1));
        let keys: Vec<&String> = points[0].keys().collect();
        assert_eq!(keys, ["batch-size", "lr"]);
        assert_eq!(grid("points = 16").1, points[..16], "fewer are the beginning of more");
        assert_eq!(grid("points = 64\nseed = 0\nmethod = 'sobol'").1, points);
        assert_ne!(grid("points = 64\nseed = 1").1, points);
        let random = grid("points = 64\nmethod = 'random'").1;
        assert_ne!(random, points);
        assert_eq!(grid("points = 3\nmethod = 'random'").1, random[..3]);
        // Each quarter of the plane has a quarter of the points.
        let quarter = |point: &Table| {
            let (lr, size) = (point["lr"].as_float().unwrap(), point["batch-size"].as_integer().unwrap());
            (lr < 10f64.powf(-2.5), size < 64)
        };
        assert!(points.iter().all(|p| (16..=256).contains(&p["batch-size"].as_integer().unwrap())));
        for which in [(false, false), (false, true), (true, false), (true, true)] {
            let count = points.iter().filter(|point| quarter(point) == which).count();
            assert!((15..=17).contains(&count), "{which:?}: {count}");
        }
    }

    /// They must never change, or a grid is another grid.
    #[test]
    fn golden() {
        let (_, points) =
            sampled("lr = 'log 1e-4..1e-1'\nbatch-size = 'integer 16..256'\n[sample]\npoints = 4\nseed = 7")
                .unwrap();
        let pairs: Vec<(i64, f64)> = points
            .iter()
            .map(|p| (p["batch-size"].as_integer().unwrap(), p["lr"].as_float().unwrap()))
            .collect();
        assert_eq!(pairs, [(180, 0.005_995), (22, 0.000_383_6), (212, 0.001_245), (132, 0.086_47)]);
    }

    #[test]
    fn whole_numbers_are_as_likely() {
        let (grid, _) = sampled("epochs = 'integer 1..4 x 4'").unwrap();
        let mut values: Vec<i64> =
            grid["epochs"].as_array().unwrap().iter().map(|v| v.as_integer().unwrap()).collect();
        values.sort_unstable();
        assert_eq!(values, [1, 2, 3, 4]);
    }

    #[test]
    fn what_is_wrong() {
        for (text, piece) in [
            ("lr = 'log 1e-4..1e-1'", "lr has a range and no number of values"),
            ("lr = [1e-3]\n[sample]\npoints = 3", "no key has a range without a number"),
            ("lr = 'log 0..1 x 4'", "begins above 0"),
            ("lr = 'log 1..0.1 x 4'", "its first end is not below its second"),
            ("lr = 'linear 1e-3 x 4'", "there is no range"),
            ("lr = 'linear a..b x 4'", "no numbers"),
            ("lr = 'linear 0..1 x'", "behind the range stands x and a number"),
            ("lr = 'linear 0..1 y 4'", "behind the range stands x and a number"),
            ("lr = 'linear 0..1 x 0'", "from 1 to 65536"),
            ("epochs = 'integer 1..4 x 5'", "fewer than 5 whole numbers"),
            ("epochs = 'integer 1.5..4 x 2'", "no whole numbers"),
            ("sample = 3", "expected a table [sample]"),
            ("[sample]\npoint = 3", "unknown key 'point'"),
            ("[sample]\npoints = 0", "at least 1"),
            ("[sample]\npoints = 70000", "a number up to 65536"),
            ("[sample]\nmethod = 'halton'", "\"sobol\" or \"random\""),
        ] {
            let error = sampled(text).unwrap_err();
            assert!(error.to_string().contains(piece), "{text}: {error}");
            assert_eq!(error.exit_code(), 2);
        }
    }
}
