//! An augmentation as text: `flip,shift2,erase8,mixup0.2`, or `none`.

use std::fmt;
use std::str::FromStr;

use super::error::AugmentError;
use super::operation::{OPERATIONS, Takes};
use super::{Augment, Step};

const NONE: &str = "none";

impl FromStr for Augment {
    type Err = AugmentError;

    fn from_str(text: &str) -> Result<Self, AugmentError> {
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        if words.contains(&NONE) {
            let alone = words.len() == 1;
            return if alone {
                Ok(Self::default())
            } else {
                Err(AugmentError::NotAlone { given: text.to_owned() })
            };
        }
        let mut steps = words.into_iter().map(step).collect::<Result<Vec<_>, _>>()?;
        steps.sort_by_key(|step| step.slot);
        match steps.windows(2).find(|pair| pair[0].slot == pair[1].slot) {
            Some(pair) => Err(AugmentError::Twice { word: pair[0].operation().word() }),
            None => Ok(Self { steps }),
        }
    }
}

fn step(given: &str) -> Result<Step, AugmentError> {
    let (word, number) = given.split_at(given.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(given.len()));
    let slot = OPERATIONS.iter().position(|operation| operation.word() == word);
    let slot = slot.ok_or_else(|| AugmentError::Unknown { given: given.to_owned() })?;
    let takes = OPERATIONS[slot].takes();
    let number = match takes {
        Takes::Nothing => number.is_empty().then_some(0.0),
        Takes::Pixels => number.parse::<u32>().ok().filter(|n| *n > 0).map(f64::from),
        Takes::Positive => number.parse().ok().filter(|n: &f64| n.is_finite() && *n > 0.0),
    };
    let wrong = || AugmentError::Number { given: given.to_owned(), word: OPERATIONS[slot].word(), takes };
    Ok(Step { slot, number: number.ok_or_else(wrong)? })
}

impl fmt::Display for Augment {
    /// In the order of [`OPERATIONS`], each number at its shortest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str(NONE);
        }
        for (index, step) in self.steps.iter().enumerate() {
            let operation = step.operation();
            write!(f, "{}{}", if index == 0 { "" } else { "," }, operation.word())?;
            if operation.takes() != Takes::Nothing {
                write!(f, "{}", step.number)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::labelled::ImageShape;

    fn parse(text: &str) -> Augment {
        text.parse().unwrap()
    }

    #[test]
    fn spellings_of_one_list_are_equal() {
        assert_eq!(parse("none"), Augment::default());
        assert_eq!(Augment::default().to_string(), "none");
        let all = parse("flip,shift2,erase8,mixup0.2");
        assert_eq!(parse(" mixup2e-1, erase08 ,flip,shift2"), all);
        assert_eq!(all.to_string(), "flip,shift2,erase8,mixup0.2");
        assert_ne!(parse("flip,shift2"), parse("flip,shift3"));
        assert_eq!(parse("mixup1.0").to_string(), "mixup1");
        assert!(all.mixes() && !parse("flip").mixes());
    }

    #[test]
    fn errors_name_the_word_and_what_there_is() {
        let error = |text: &str| text.parse::<Augment>().unwrap_err().to_string();
        let listed = "there is none, flip, shiftN, eraseN, mixupA";
        for text in ["flop", "", "flip,", "Flip", "2", "flip;shift2"] {
            let said = error(text);
            assert!(said.ends_with(listed) || said.contains("flip takes no number"), "{text}: {said}");
        }
        assert_eq!(error("flip,rotate9"), format!("unknown augmentation 'rotate9': {listed}"));
        assert_eq!(error("flip,flip"), "augmentation 'flip' stands twice: name it once");
        assert_eq!(
            error("none,flip"),
            "'none' stands beside other augmentations in 'none,flip': take one of them out"
        );
        assert_eq!(error("flip2"), "augmentation 'flip2': flip takes no number");
        for text in ["shift", "shift0", "shift1.5", "shift-1", "shift4294967296"] {
            let wanted = "shift takes a number of pixels of at least 1, such as shift2";
            assert_eq!(error(text), format!("augmentation '{text}': {wanted}"));
        }
        for text in ["mixup", "mixup0", "mixup-1", "mixupinf", "mixup1e999", "mixup.."] {
            assert!(error(text).contains("takes a finite number above 0") || text == "mixupinf", "{text}");
        }
    }

    #[test]
    fn numbers_must_fit_the_shorter_side() {
        let shape = ImageShape { channels: 1, height: 28, width: 20 };
        assert_eq!(parse("flip,shift19,erase20,mixup100").check(shape), Ok(()));
        assert_eq!(
            parse("shift20").check(shape).unwrap_err().to_string(),
            "augmentation shift20 does not fit images of 28x20: use at most shift19"
        );
        assert!(parse("erase21").check(shape).is_err());
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(
            flip in any::<bool>(), shift in 0u32..40, erase in 0u32..40,
            mixup in prop::option::of(prop::num::f64::POSITIVE | prop::num::f64::SUBNORMAL),
        ) {
            let mut words = Vec::new();
            words.extend(mixup.filter(|a| *a > 0.0 && a.is_finite()).map(|a| format!("mixup{a:e}")));
            words.extend((erase > 0).then(|| format!("erase{erase}")));
            words.extend(flip.then(|| "flip".to_owned()));
            words.extend((shift > 0).then(|| format!("shift{shift}")));
            let augment = if words.is_empty() { Augment::default() } else { parse(&words.join(",")) };
            prop_assert_eq!(parse(&augment.to_string()), augment);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a-z0-9.,+-]{0,30}") {
            if let Ok(augment) = text.parse::<Augment>() {
                prop_assert_eq!(parse(&augment.to_string()), augment);
            }
        }
    }
}
