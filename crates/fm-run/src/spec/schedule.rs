//! Schedules: how the learning rate moves over a phase, as a pure function of the step.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use toml::Value;

use super::setting::Setting;

/// The factor on the learning rate, step by step, and whether a shorter run is the beginning of a longer one.
///
/// `p` below is the share of the phase's steps that is done, counted after the warm-up. Every schedule may warm up
/// first: the rate rises linearly over the first `--warmup` epochs (Goyal et al., "Accurate, Large Minibatch SGD",
/// 2017). One-cycle's own rise is its warm-up.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// 1 at every step.
    Constant,
    /// `floor + (1 - floor) (1 + cos πp) / 2` (Loshchilov & Hutter, "SGDR", ICLR 2017, without restarts).
    Cosine {
        /// Where it ends, as a share of the rate.
        floor: f64,
    },
    /// From 1/25 up to 1 and down to 1/250,000, both along a cosine (Smith & Topin, "Super-Convergence", 2018, in
    /// PyTorch's form).
    OneCycle {
        /// Share of the steps that rise, where `--warmup` does not say it.
        rise: f64,
    },
    /// 1, and over the last epochs linearly down to 0: warm-up, stable, decay (Zhai et al., "Scaling Vision
    /// Transformers", 2022; Hägele et al., "Beyond Fixed Training Durations", 2024).
    Wsd {
        /// Share of the epochs that cool down, rounded to whole epochs, at least one.
        cooldown: f64,
    },
    /// `factor` to the power of how many of the shares `at` are behind.
    Step {
        /// What the rate is multiplied by.
        factor: f64,
        /// Shares of the steps, rising.
        at: Vec<f64>,
    },
}

/// What a run of fewer epochs has to do with one of more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shorter {
    /// It is its beginning: the longer run, scored on the way, is both.
    Beginning,
    /// It is its beginning up to this epoch, and cools down from there: the longer run branches off.
    Branch {
        /// Epochs that both share.
        from: u32,
    },
    /// Nothing: each length is a run of its own.
    Own,
}

/// The length of a phase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Whole epochs.
    pub epochs: u32,
    /// Steps of an epoch.
    pub steps: u64,
    /// Epochs of warm-up.
    pub warmup: f64,
}

impl Schedule {
    /// What a run of `epochs` has to do with a longer one of the same schedule.
    #[must_use]
    pub fn shorter(&self, epochs: u32) -> Shorter {
        match self {
            Self::Constant => Shorter::Beginning,
            Self::Wsd { cooldown } => Shorter::Branch { from: epochs - cooling(*cooldown, epochs) },
            Self::Cosine { .. } | Self::OneCycle { .. } | Self::Step { .. } => Shorter::Own,
        }
    }

    /// The factor on the learning rate at a step of the phase, counted from 0.
    #[must_use]
    pub fn factor(&self, step: u64, span: Span) -> f64 {
        let total = u64::from(span.epochs) * span.steps;
        let warmup = ((span.warmup * span.steps as f64).round() as u64).min(total);
        let now = step as f64;
        if let Self::OneCycle { rise } = self {
            let rise = if warmup > 0 { warmup as f64 } else { rise * total as f64 };
            return one_cycle(now, rise - 1.0, total as f64 - 1.0);
        }
        if step < warmup {
            return (now + 1.0) / warmup as f64;
        }
        let share = (now - warmup as f64) / (total - warmup).max(1) as f64;
        match self {
            Self::Constant | Self::OneCycle { .. } => 1.0,
            Self::Cosine { floor } => floor + (1.0 - floor) * (1.0 + (PI * share).cos()) / 2.0,
            Self::Wsd { cooldown } => {
                let cooling = u64::from(cooling(*cooldown, span.epochs)) * span.steps;
                ((total - step.min(total)) as f64 / cooling.max(1) as f64).min(1.0)
            }
            Self::Step { factor, at } => factor.powi(at.iter().filter(|&&at| share >= at).count() as i32),
        }
    }
}

/// Whole epochs of a cool-down.
fn cooling(share: f64, epochs: u32) -> u32 {
    ((share * f64::from(epochs)).round() as u32).max(1).min(epochs)
}

/// PyTorch's `OneCycleLR`: up to step `peak`, down to step `last`.
fn one_cycle(step: f64, peak: f64, last: f64) -> f64 {
    const LOW: f64 = 1.0 / 25.0;
    const END: f64 = LOW / 1e4;
    let between = |from: f64, to: f64, share: f64| to + (from - to) / 2.0 * (1.0 + (PI * share).cos());
    if step <= peak {
        return between(LOW, 1.0, if peak > 0.0 { step / peak } else { 1.0 });
    }
    between(1.0, END, ((step - peak) / (last - peak).max(1.0)).min(1.0))
}

const DEFAULTS: [(&str, f64); 3] = [("cosine", 0.0), ("one-cycle", 0.3), ("wsd", 0.2)];

fn default_of(name: &str) -> f64 {
    DEFAULTS.iter().find(|(known, _)| *known == name).map_or(0.0, |(_, value)| *value)
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, value) = match self {
            Self::Constant => return f.write_str("constant"),
            Self::Cosine { floor } => ("cosine", *floor),
            Self::OneCycle { rise } => ("one-cycle", *rise),
            Self::Wsd { cooldown } => ("wsd", *cooldown),
            Self::Step { factor, at } => {
                let at: Vec<String> = at.iter().map(f64::to_string).collect();
                return write!(f, "step:{factor}@{}", at.join(","));
            }
        };
        if value.to_bits() == default_of(name).to_bits() {
            f.write_str(name)
        } else {
            write!(f, "{name}:{value}")
        }
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let share = |what: &str, low: bool| -> Result<f64, String> {
            let Some(rest) = rest else { return Ok(default_of(name)) };
            let value: f64 = rest.parse().map_err(|_| format!("'{text}': {what} must be a number"))?;
            let inside = (if low { value >= 0.0 } else { value > 0.0 }) && value < 1.0;
            if inside { Ok(value) } else { Err(format!("'{text}': {what} must be between 0 and 1")) }
        };
        match (name, rest) {
            ("constant", None) => Ok(Self::Constant),
            ("cosine", _) => Ok(Self::Cosine { floor: share("the floor", true)? }),
            ("one-cycle", _) => Ok(Self::OneCycle { rise: share("the share that rises", false)? }),
            ("wsd", _) => Ok(Self::Wsd { cooldown: share("the share that cools down", false)? }),
            ("step", Some(rest)) => steps(text, rest),
            _ => Err(format!(
                "must be constant, cosine[:FLOOR], one-cycle[:RISE], wsd[:COOLDOWN] or step:FACTOR@SHARE,SHARE, \
                 got '{text}'"
            )),
        }
    }
}

fn steps(text: &str, rest: &str) -> Result<Schedule, String> {
    let bad = || format!("'{text}': a step schedule is step:FACTOR@SHARE,SHARE, such as step:0.1@0.5,0.75");
    let (factor, at) = rest.split_once('@').ok_or_else(bad)?;
    let factor: f64 = factor.parse().map_err(|_| bad())?;
    let at: Vec<f64> =
        at.split(',').map(|share| share.parse().map_err(|_| bad())).collect::<Result<_, _>>()?;
    let rising = at.windows(2).all(|pair| pair[0] < pair[1]);
    let inside = at.iter().all(|share| *share > 0.0 && *share < 1.0);
    if factor > 0.0 && factor.is_finite() && rising && inside {
        return Ok(Schedule::Step { factor, at });
    }
    Err(format!("'{text}': the factor must be above 0, the shares between 0 and 1 and rising"))
}

impl Setting for Schedule {
    const NAME: &'static str = "SCHEDULE";
    const COMMAS: bool = true;
    fn offered() -> Vec<&'static str> {
        let named = DEFAULTS.iter().map(|(name, _)| *name);
        ["constant"].into_iter().chain(named).chain(["step:"]).collect()
    }
    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
    }
    fn show(&self) -> Option<Value> {
        Some(self.to_string().into())
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
