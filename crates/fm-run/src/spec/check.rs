//! Checks a statement: every value in range, and all of them together.

use std::fmt::Write as _;

use super::{EncoderMode, Optimizer, Pretrain, Protocol, RunSpec, SEEDS, Shorter, Weights};
use crate::error::{Error, Result};

/// Epochs of pretraining where nothing is said.
const PRETRAIN_EPOCHS: u32 = 5;

impl RunSpec {
    /// The statement of what runs: every value in range, what depends on other keys filled in, what means
    /// nothing refused.
    ///
    /// # Errors
    /// A usage error that names the flag and its range.
    pub fn check(mut self) -> Result<Self> {
        rate("--lr", self.lr)?;
        at_least_1("--batch-size", self.batch_size)?;
        at_least_1("--checkpoint-every", self.checkpoint_every as usize)?;
        if self.threads.is_some_and(|n| n == 0 || n > 1024) {
            return Err(Error::usage("--threads must be from 1 to 1024"));
        }
        if let Some(patience) = self.patience {
            at_least_1("--patience", patience as usize)?;
            if self.protocol == Protocol::Notebook {
                let text = "--protocol notebook has no validation images, which --patience needs";
                return Err(Error::usage(text).help("use --protocol holdout"));
            }
        }
        if let Some(share) = self.holdout_share {
            if !(share > 0.0 && share < 1.0) {
                return Err(Error::usage(format!(
                    "--holdout-share must be above 0 and below 1, got {share}"
                )));
            }
            if self.protocol == Protocol::Notebook {
                let text = "--protocol notebook holds no images out, which --holdout-share asks for";
                return Err(Error::usage(text).help("use --protocol holdout"));
            }
        }
        for (key, seed) in SEEDS.iter().zip(self.given_seeds()) {
            if let Some(seed) = seed.filter(|&seed| i64::try_from(seed).is_err()) {
                return Err(Error::usage(format!("--{key} must be from 0 to {}, got {seed}", i64::MAX)));
            }
        }
        if self.fast_dev_run {
            (self.epochs, self.pretrain_epochs) = (1, self.pretrain_epochs.map(|n| n.min(1)));
        }
        self.check_recipe()?;
        self.check_composition()?;
        self.check_score_at()?;
        if let Some(name) = &self.name {
            check_name(name)?;
        }
        Ok(self)
    }

    fn check_recipe(&self) -> Result<()> {
        let bad = |text: String| Err(Error::usage(text));
        let share = |flag: &str, value: f64| match value {
            value if (0.0..1.0).contains(&value) => Ok(()),
            value => bad(format!("{flag} must be at least 0 and below 1, got {value}")),
        };
        share("--label-smoothing", self.label_smoothing)?;
        if let Some(momentum) = self.momentum {
            share("--momentum", momentum)?;
            if matches!(self.optimizer, Optimizer::Adam | Optimizer::AdamW) {
                let name = self.optimizer.name();
                return bad(format!("--momentum is of sgd and muon, and --optimizer is {name}"));
            }
        }
        if !(0.0..f64::INFINITY).contains(&self.weight_decay) {
            return bad(format!("--weight-decay must be finite and at least 0, got {}", self.weight_decay));
        }
        if self.weight_decay > 0.0 && self.optimizer == Optimizer::Adam {
            let text = "--weight-decay: Keras' Adam has none".to_owned();
            return Err(Error::usage(text).help("use --optimizer adamw"));
        }
        if self.decay_all && self.weight_decay == 0.0 {
            return bad("--decay-all needs --weight-decay".to_owned());
        }
        if !(0.0..=f64::from(self.epochs.max(1))).contains(&self.warmup) {
            let text = format!("--warmup must be from 0 to --epochs ({}), got {}", self.epochs, self.warmup);
            return bad(text);
        }
        if self.average.contains(&Weights::Last) {
            return bad("--average takes ema:DECAY and mean:EPOCHS".to_owned());
        }
        let same = self.average.iter().find(|a| a.name() == self.weights.name() && **a != self.weights);
        if let Some(other) = same {
            return bad(format!("--average {other} and --weights {} cannot both be kept", self.weights));
        }
        if self.patience.is_some() && self.weights != Weights::Last {
            let text = format!("--weights {}: with --patience a run leaves its best epoch", self.weights);
            return Err(Error::usage(text).help("use --average to score the average too"));
        }
        Ok(())
    }

    /// What a run of `epochs` has to do with this one, which has more.
    #[must_use]
    pub fn shorter(&self, epochs: u32) -> Shorter {
        if self.patience.is_some() { Shorter::Own } else { self.schedule.shorter(epochs) }
    }

    /// Epochs that the run trains after its pretraining: its own, and those of the branches that cool down to shorter
    /// lengths.
    #[must_use]
    pub fn trained_epochs(&self) -> u32 {
        let branch = |&length: &u32| match self.shorter(length) {
            Shorter::Branch { from } => length - from,
            Shorter::Beginning | Shorter::Own => 0,
        };
        self.epochs + self.score_at.iter().map(branch).sum::<u32>()
    }

    /// All weights that are scored, those that the run leaves first.
    #[must_use]
    pub fn scored(&self) -> Vec<Weights> {
        let mut all = vec![self.weights];
        let others = std::iter::once(Weights::Last).chain(self.average.iter().copied());
        all.extend(others.filter(|&weights| weights != self.weights));
        all
    }

    fn check_composition(&mut self) -> Result<()> {
        let frozen = self.encoder == EncoderMode::Frozen;
        match self.pretrain_epochs {
            Some(0) if !self.fast_dev_run => {
                return Err(Error::usage("--pretrain-epochs must be at least 1, got 0"));
            }
            Some(_) if !self.pretrain.trains() => {
                return Err(Error::usage("--pretrain-epochs needs --pretrain autoencoder or classifier"));
            }
            None if self.pretrain.trains() => {
                self.pretrain_epochs = Some(if self.fast_dev_run { 1 } else { PRETRAIN_EPOCHS });
            }
            _ => {}
        }
        if let Some(lr) = self.encoder_lr {
            if frozen {
                return Err(Error::usage("--encoder-lr: a frozen encoder has no learning rate"));
            }
            rate("--encoder-lr", lr)?;
        }
        match self.unfreeze_at {
            Some(_) if frozen => {
                Err(Error::usage("--unfreeze-at: with --encoder frozen nothing is unfrozen"))
            }
            Some(at) if !self.fast_dev_run && !(1..self.epochs.max(1)).contains(&at) => {
                let most = self.epochs;
                let text = format!("--unfreeze-at must be from 1 to below --epochs ({most}), got {at}");
                Err(Error::usage(text))
            }
            _ => Ok(()),
        }
    }

    fn check_score_at(&self) -> Result<()> {
        let (at, epochs) = (&self.score_at, self.epochs);
        if let Some(wrong) = at.iter().find(|&&n| n == 0 || n >= epochs) {
            let text = format!("--score-at must be from 1 to below --epochs ({epochs}), got {wrong}");
            return Err(Error::usage(text));
        }
        let head_alone = self.unfreeze_at.unwrap_or(0);
        if let Some(wrong) = at.iter().find(|&&n| n <= head_alone) {
            let text = format!(
                "--score-at must be above --unfreeze-at ({head_alone}), as a run's epochs must, got {wrong}"
            );
            return Err(Error::usage(text));
        }
        match at.iter().find(|&&n| self.shorter(n) == Shorter::Own) {
            None => Ok(()),
            Some(_) if self.patience.is_some() => Err(Error::usage(
                "--score-at: with --patience a shorter run is not the beginning of a longer one",
            )),
            Some(_) => {
                let text = format!(
                    "--score-at: with --schedule {} a shorter run is not the beginning of a longer one",
                    self.schedule
                );
                Err(Error::usage(text).help("use --schedule constant or wsd, or a run for each length"))
            }
        }
    }

    /// What the recipe is called in tables: `joint`, `frozen on autoencoder`, `fine-tuned from classifier` …
    #[must_use]
    pub fn arm(&self) -> String {
        let frozen = self.encoder == EncoderMode::Frozen;
        let from = match &self.pretrain {
            Pretrain::None => "random".to_owned(),
            other => other.to_string(),
        };
        let mut arm = match (frozen, &self.pretrain) {
            (true, _) => format!("frozen on {from}"),
            (false, Pretrain::None) => "joint".to_owned(),
            (false, _) => format!("fine-tuned from {from}"),
        };
        if let Some(epoch) = self.unfreeze_at {
            let _ = write!(arm, " (head first for {epoch})");
        }
        if let Some(lr) = self.encoder_lr {
            let _ = write!(arm, " (encoder lr {lr})");
        }
        arm
    }
}

fn rate(flag: &str, lr: f64) -> Result<()> {
    if lr.is_finite() && lr > 0.0 {
        return Ok(());
    }
    Err(Error::usage(format!("{flag} must be finite and > 0, got {lr}")))
}

fn at_least_1(flag: &str, n: usize) -> Result<()> {
    if n > 0 { Ok(()) } else { Err(Error::usage(format!("{flag} must be at least 1, got 0"))) }
}

/// A name is one directory below `--out`, not a way out of it; it stands in tables, which spreadsheets open, and on
/// terminals.
///
/// # Errors
/// A usage error for any other.
pub fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
        return Err(Error::usage(format!("--name must be a plain directory name, got '{name}'")));
    }
    if name.contains(char::is_control) || name.starts_with(['=', '+', '-', '@']) {
        let text =
            format!("--name must have no control characters and not begin with =, +, - or @, got {name:?}");
        return Err(Error::usage(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["a", "run 1", "ü-中", "a=b", "1+1", "a-b@c"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", ".", "..", "a/b", "=1+1", "+1", "-x", "@a", "a\nb", "a\u{1b}]0;x", "\t"] {
            let error = check_name(name).unwrap_err();
            assert!(
                error.exit_code() == 2 && !error.message().contains(['\n', '\u{1b}']),
                "{name:?}: {error}"
            );
        }
    }
}
