//! Families of architectures: strings with a width `w` in them.
//!
//! `{w}C3-MP2-{2w}C3-MP2--{4w}` with `w` = 8 is `8C3-MP2-16C3-MP2--32`. In braces stands `w` with a factor before
//! it or a divisor after it, or both: `{3w/2}`. The product is divided last and rounded down. For a budget of
//! parameters or multiply-adds, a family has a largest member.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::arch::Arch;
use crate::error::ArchError;
use crate::graph::Network;
use crate::limits::MAX_COUNT;
use crate::tensor::TensorSpec;

/// A string with a width, and how the width is chosen where nothing else says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// The string, such as `{w}C3-MP2--{4w}`.
    #[serde(rename = "layers")]
    pub template: String,
    /// The budget that decides the width.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
}

/// A table of families by name, `[families.tiny]` in a file.
pub type Families = BTreeMap<String, Family>;

/// What a network may need at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Trained values.
    Params(u64),
    /// Multiply-adds of the forward pass for one image.
    Macs(u64),
}

impl Fit {
    fn budget(self) -> u64 {
        match self {
            Fit::Params(budget) | Fit::Macs(budget) => budget,
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Fit::Params(_) => "parameters",
            Fit::Macs(_) => "multiply-adds",
        }
    }

    fn measure(self, network: &Network) -> u64 {
        match self {
            Fit::Params(_) => network.params().map(|spec: &TensorSpec| spec.count() as u64).sum(),
            Fit::Macs(_) => network.macs(),
        }
    }
}

/// Why a family has no such member.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FamilyError {
    /// What stands in braces is no width.
    #[error("'{expression}' in '{template}' is not a width, use {{w}}, {{2w}} or {{3w/2}}")]
    Expression {
        /// The template.
        template: String,
        /// What stands there, with its braces.
        expression: String,
    },
    /// Nothing stands in braces.
    #[error("'{0}' has no width to choose, write filters or units as {{w}}, {{2w}} or {{3w/2}}")]
    NoWidth(String),
    /// The string for this width is not an architecture.
    #[error("w = {width} makes '{text}': {error}")]
    Arch {
        /// The width.
        width: usize,
        /// The string with the width put in.
        text: String,
        /// What is wrong with it.
        error: ArchError,
    },
    /// Even the narrowest member needs more.
    #[error("no width of '{template}' fits {budget} {unit}: w = {width} needs {least}")]
    NoneFits {
        /// The template.
        template: String,
        /// The budget.
        budget: u64,
        /// What the budget counts.
        unit: &'static str,
        /// The narrowest width that makes an architecture.
        width: usize,
        /// What it needs.
        least: u64,
    },
}

impl Family {
    /// The member of width `w`.
    ///
    /// # Errors
    /// When the template or the string that it makes is wrong.
    pub fn member(&self, w: usize) -> Result<Arch, FamilyError> {
        expand(&self.template, w)
    }
}

/// The architecture that `template` is with width `w`. A template without braces is itself.
///
/// # Errors
/// When the braces hold no width, or the string that comes out is not an architecture.
pub fn expand(template: &str, w: usize) -> Result<Arch, FamilyError> {
    let text = substitute(template, w)?;
    text.parse().map_err(|error| FamilyError::Arch { width: w, text, error })
}

/// `template` with `w` put in.
///
/// # Errors
/// When the braces hold no width.
pub fn substitute(template: &str, w: usize) -> Result<String, FamilyError> {
    let mut out = String::new();
    let mut rest = template;
    while let Some(start) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(start);
        let end = from.find('}').map_or(from.len(), |end| end + 1);
        let (braces, after) = from.split_at(end);
        let value = braces.strip_prefix('{').and_then(|b| b.strip_suffix('}')).and_then(|b| width(b, w));
        let Some(value) = value else {
            return Err(FamilyError::Expression {
                template: template.to_owned(),
                expression: braces.to_owned(),
            });
        };
        out.push_str(before);
        out.push_str(&value.to_string());
        rest = after;
    }
    Ok(out + rest)
}

/// `w`, `2w`, `w/2`, `3w/2`: multiplied, then divided, rounded down.
fn width(expression: &str, w: usize) -> Option<u64> {
    let (factor, divisor) = expression.split_once(['w', 'W'])?;
    let number = |text: &str| match crate::token::number(text) {
        Some(n) if (1..=MAX_COUNT).contains(&n) => Some(n as u64),
        _ => None,
    };
    let factor = if factor.is_empty() { 1 } else { number(factor)? };
    let divisor = if divisor.is_empty() { 1 } else { number(divisor.strip_prefix('/')?)? };
    (w as u64).checked_mul(factor).map(|product| product / divisor)
}

/// The widest member within a budget, and its width.
///
/// Widths are tried from 1 upwards until one is over the budget; those that make no architecture (8 groups, say,
/// divide few widths) are passed over. `image` is height, width and channels, unless the template has a size.
///
/// # Errors
/// When the template has no width or is wrong for every width, or its narrowest member is over the budget.
pub fn fit(
    template: &str,
    within: Fit,
    image: [usize; 3],
    classes: usize,
) -> Result<(usize, Arch), FamilyError> {
    if substitute(template, 1)? == template {
        return Err(FamilyError::NoWidth(template.to_owned()));
    }
    let [height, width, channels] = image;
    let sized = if template.contains('@') {
        template.to_owned()
    } else {
        format!("{template}@{height}x{width}x{channels}")
    };
    let mut best = None;
    let mut first_error = None;
    for w in 1..=MAX_COUNT {
        let network = expand(&sized, w).and_then(|arch| member(w, &arch, classes));
        match network {
            Err(error) => first_error = first_error.or(Some(error)),
            Ok(network) => {
                let needs = within.measure(&network);
                if needs > within.budget() {
                    return best.ok_or_else(|| FamilyError::NoneFits {
                        template: template.to_owned(),
                        budget: within.budget(),
                        unit: within.unit(),
                        width: w,
                        least: needs,
                    });
                }
                best = Some((w, network.arch));
            }
        }
    }
    best.ok_or_else(|| first_error.unwrap_or_else(|| FamilyError::NoWidth(template.to_owned())))
}

fn member(width: usize, arch: &Arch, classes: usize) -> Result<Network, FamilyError> {
    Network::new(arch, classes).map_err(|error| {
        let text = arch.to_string();
        let error = ArchError { span: 0..text.len(), message: error.message, help: None };
        FamilyError::Arch { width, text, error }
    })
}

/// [`fit`] for a budget of parameters.
///
/// # Errors
/// As [`fit`].
pub fn fit_params(
    template: &str,
    budget: u64,
    image: [usize; 3],
    classes: usize,
) -> Result<(usize, Arch), FamilyError> {
    fit(template, Fit::Params(budget), image, classes)
}

/// [`fit`] for a budget of multiply-adds.
///
/// # Errors
/// As [`fit`].
pub fn fit_macs(
    template: &str,
    budget: u64,
    image: [usize; 3],
    classes: usize,
) -> Result<(usize, Arch), FamilyError> {
    fit(template, Fit::Macs(budget), image, classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: [usize; 3] = [28, 28, 1];

    #[test]
    fn widths_are_multiplied_divided_and_rounded_down() {
        let text = |template, w| substitute(template, w).unwrap();
        assert_eq!(text("{w}C3-MP2-{2w}C3-MP2--{4w}", 8), "8C3-MP2-16C3-MP2--32");
        assert_eq!(text("{3w/2}C3-{w/2}C3-2x{W}R3", 5), "7C3-2C3-2x5R3");
        assert_eq!(expand("{w}C3-MP2-{2w}C3-MP2-{2w}C3-MP2--{4w}", 32).unwrap().to_string(), "cnn");
    }

    #[test]
    fn refuses_what_is_no_width() {
        for braces in ["{}", "{v}", "{w", "{w2}", "{w/}", "{w/0}", "{0w}", "{-w}", "{2*w}", "}", "{{w}"] {
            let error = substitute(&format!("{braces}C3"), 8).unwrap_err();
            assert!(matches!(&error, FamilyError::Expression { .. }), "{braces}: {error}");
        }
        let error = expand("{w/2}C3", 1).unwrap_err().to_string();
        assert_eq!(error, "w = 1 makes '0C3': filters and units must be from 1 to 65536, got 0");
        let error = substitute("{w}C3-{2v}C3", 1).unwrap_err().to_string();
        assert_eq!(error, "'{2v}' in '{w}C3-{2v}C3' is not a width, use {w}, {2w} or {3w/2}");
    }

    #[test]
    fn the_widest_member_that_fits() {
        // By hand: conv 10w, dense 10 * 676w/4... of 13x13 positions and 10 biases.
        let needs = |w: u64| 10 * w + 169 * w * 10 + 10;
        for budget in [needs(1), needs(7) - 1, needs(7), needs(7) + 1] {
            let (w, arch) = fit_params("{w}C3-MP2", budget, IMAGE, 10).unwrap();
            assert!(needs(w as u64) <= budget && budget < needs(w as u64 + 1), "{w}");
            assert_eq!(arch.to_string(), format!("{w}C3-MP2"));
        }
        let error = fit_params("{w}C3-MP2", needs(1) - 1, IMAGE, 10).unwrap_err().to_string();
        assert_eq!(error, "no width of '{w}C3-MP2' fits 1709 parameters: w = 1 needs 1710");
        let macs = |w: u64| 26 * 26 * 9 * w + 1690 * w;
        assert_eq!(fit_macs("{w}C3-MP2", macs(3), IMAGE, 10).unwrap().0, 3);
        assert_eq!(fit_macs("{w}C3-MP2", macs(4) - 1, IMAGE, 10).unwrap().0, 3);
    }

    #[test]
    fn widths_without_an_architecture_are_passed_over() {
        let (w, arch) = fit_params("{w}C3.gn8-GAP", 20 * 30 + 10, [32, 32, 3], 10).unwrap();
        assert_eq!((w, arch.to_string().as_str()), (8, "8C3.gn8-GAP@32x32x3"));
        let error = fit_params("{w}C3.gnx", 1000, IMAGE, 10).unwrap_err();
        assert!(matches!(error, FamilyError::Arch { width: 1, .. }), "{error}");
        assert_eq!(
            fit_params("32C3", 1000, IMAGE, 10),
            Err(FamilyError::NoWidth("32C3".to_owned())),
            "nothing to choose"
        );
    }

    #[test]
    fn the_notebooks_budget_finds_the_notebooks_width() {
        let template = "{w}C3-MP2-{2w}C3-MP2--{2w}-{w}";
        let (w, arch) = fit_params(template, 123_690, IMAGE, 10).unwrap();
        assert_eq!((w, arch.to_string().as_str()), (32, "encoder-mlp"));
    }

    #[test]
    fn tables_of_families() {
        let text = "[tiny]\nlayers = \"{w}C3.same.bn-MP2-2x{w}R3-MP2-2x{3w/2}R3-GAP\"\nfit = { params = 123690 }\n\
                    [plain]\nlayers = \"{w}C3\"\n";
        let families: Families = toml::from_str(text).unwrap();
        let tiny = &families["tiny"];
        assert_eq!(tiny.fit, Some(Fit::Params(123_690)));
        assert_eq!(families["plain"].fit, None);
        let (w, arch) = fit(&tiny.template, Fit::Params(123_690), IMAGE, 10).unwrap();
        assert_eq!(arch, tiny.member(w).unwrap());
        let count = |w| Fit::Params(0).measure(&Network::new(&tiny.member(w).unwrap(), 10).unwrap());
        assert!(count(w) <= 123_690 && count(w + 1) > 123_690);
        let again: Families = toml::from_str(&toml::to_string(&families).unwrap()).unwrap();
        assert_eq!(again, families);
        assert!(toml::from_str::<Families>("[a]\nlayers = \"{w}C3\"\nfits = 3").is_err());
    }
}
