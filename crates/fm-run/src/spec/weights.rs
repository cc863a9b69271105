//! Which weights a run leaves: the last, or an average of those on the way.

use std::fmt;
use std::str::FromStr;

use toml::Value;

use super::setting::Setting;

/// Weights that can be scored at the end of one training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weights {
    /// Those after the last step (with patience, of the best epoch).
    Last,
    /// Their exponential moving average, updated after every step: `a ← d·a + (1-d)·w` from the first step's weights
    /// on (Polyak & Juditsky 1992; running statistics are averaged too).
    Ema(f64),
    /// The mean of those after each of the last epochs (Izmailov et al., "Averaging Weights", UAI 2018, with running
    /// statistics averaged too).
    Mean(u32),
}

impl Weights {
    /// What files and columns call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Ema(_) => "ema",
            Self::Mean(_) => "mean",
        }
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last => f.write_str(self.name()),
            Self::Ema(decay) => write!(f, "ema:{decay}"),
            Self::Mean(epochs) => write!(f, "mean:{epochs}"),
        }
    }
}

/// Most epochs that a mean is taken of: the weights of each stay in memory and in checkpoints.
const MOST: u32 = 100;

impl FromStr for Weights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().split_once(':') {
            None if text.trim() == "last" => Ok(Self::Last),
            Some(("ema", decay)) => match decay.parse() {
                Ok(decay) if (0.0..1.0).contains(&decay) && decay > 0.0 => Ok(Self::Ema(decay)),
                _ => Err(format!("'{text}': the decay must be between 0 and 1, such as ema:0.999")),
            },
            Some(("mean", epochs)) => match epochs.parse() {
                Ok(epochs) if (2..=MOST).contains(&epochs) => Ok(Self::Mean(epochs)),
                _ => Err(format!("'{text}': the epochs must be from 2 to {MOST}, such as mean:5")),
            },
            _ => Err(format!("must be last, ema:DECAY or mean:EPOCHS, got '{text}'")),
        }
    }
}

impl Setting for Weights {
    const NAME: &'static str = "WEIGHTS";
    fn offered() -> Vec<&'static str> {
        vec!["last", "ema:", "mean:"]
    }
    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
    }
    fn show(&self) -> Option<Value> {
        Some(self.to_string().into())
    }
}

/// Separated by commas, each once.
impl Setting for Vec<Weights> {
    const NAME: &'static str = "WEIGHTS,WEIGHTS";
    fn offered() -> Vec<&'static str> {
        vec!["ema:", "mean:"]
    }
    fn parse(text: &str) -> Result<Self, String> {
        let mut all = Self::new();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let weights: Weights = part.parse()?;
            if all.iter().any(|known| known.name() == weights.name()) {
                return Err(format!("must name {} once, got '{text}'", weights.name()));
            }
            all.push(weights);
        }
        all.sort_by_key(|weights| weights.name());
        Ok(all)
    }
    fn show(&self) -> Option<Value> {
        (!self.is_empty()).then(|| self.iter().map(Weights::to_string).collect::<Vec<_>>().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_weights_are_inverse() {
        for text in ["last", "ema:0.999", "mean:5"] {
            assert_eq!(text.parse::<Weights>().unwrap().to_string(), text);
        }
        for wrong in ["", "ema", "ema:1", "ema:0", "mean:1", "mean:x", "mean:1000", "best"] {
            assert!(wrong.parse::<Weights>().is_err(), "{wrong}");
        }
        let both = <Vec<Weights> as Setting>::parse("mean:5, ema:0.99").unwrap();
        assert_eq!(both, [Weights::Ema(0.99), Weights::Mean(5)]);
        assert!(<Vec<Weights> as Setting>::parse("mean:5,mean:6").is_err());
    }
}
