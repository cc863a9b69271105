//! What `--until` asks: `encoder-mlp vs cnn: 0.5 points, alpha 0.05, at most 100 seeds`.

use fm_report::stats::{ALPHA, Settle};

use crate::error::{Error, Result};

/// Two groups, and when their difference is settled.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    /// As `compare` names them.
    pub(super) names: [String; 2],
    pub(super) settle: Settle,
    /// The most seeds; all of the plan where it is not said.
    pub(super) at_most: Option<usize>,
}

/// Reads it.
///
/// # Errors
/// A usage error that says what is wrong.
pub(super) fn parse(text: &str) -> Result<Question> {
    let bad = |what: &str| {
        Error::usage(format!("--until: {what}, in '{text}'"))
            .help("say it like \"encoder-mlp vs cnn: 0.5 points, alpha 0.05, at most 100 seeds\"")
    };
    // Names may hold colons; terms do not.
    let (names, terms) = text.rsplit_once(':').ok_or_else(|| bad("no ':' behind the two groups"))?;
    let (first, second) = names.split_once(" vs ").ok_or_else(|| bad("no ' vs ' between two groups"))?;
    let (mut margin, mut alpha, mut at_most) = (None, None, None);
    for term in terms.split(',').map(str::trim) {
        let number = |text: &str| text.trim().parse::<f64>().ok();
        if let Some(points) = term.strip_suffix("points") {
            let points = number(points).filter(|points| *points > 0.0 && *points < 100.0);
            margin = Some(points.ok_or_else(|| bad("points must be above 0 and below 100"))? / 100.0);
        } else if let Some(level) = term.strip_prefix("alpha ") {
            let level = number(level).filter(|level| *level > 0.0 && *level < 0.5);
            alpha = Some(level.ok_or_else(|| bad("alpha must be above 0 and below 0.5"))?);
        } else if let Some(seeds) = term.strip_prefix("at most ").and_then(|rest| rest.strip_suffix("seeds"))
        {
            let seeds = seeds.trim().parse().ok().filter(|seeds: &usize| *seeds >= 2);
            at_most = Some(seeds.ok_or_else(|| bad("seeds must be a whole number from 2"))?);
        } else {
            return Err(bad(&format!("'{term}' is no term")));
        }
    }
    let margin = margin.ok_or_else(|| bad("no number of points"))?;
    let settle = Settle { margin, alpha: alpha.unwrap_or(ALPHA) };
    Ok(Question { names: [first, second].map(|name| name.trim().to_owned()), settle, at_most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_in_any_order_and_names_with_commas_and_colons() {
        let question =
            parse("cnn, schedule step:0.1@0.5,0.75 vs cnn: at most 40 seeds, 0.5 points, alpha 0.01")
                .unwrap();
        assert_eq!(question.names, ["cnn, schedule step:0.1@0.5,0.75", "cnn"]);
        assert_eq!((question.settle, question.at_most), (Settle { margin: 0.005, alpha: 0.01 }, Some(40)));
        assert_eq!(parse("a vs b: 1 points").unwrap().settle, Settle { margin: 0.01, alpha: 0.05 });
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, piece) in [
            ("a vs b", "no ':'"),
            ("a: 1 points", "no ' vs '"),
            ("a vs b: 0 points", "above 0 and below 100"),
            ("a vs b: alpha 0.05", "no number of points"),
            ("a vs b: 1 points, alpha 1", "alpha must be"),
            ("a vs b: 1 points, at most 1 seeds", "whole number from 2"),
            ("a vs b: 1 point", "'1 point' is no term"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message().contains(piece) && error.exit_code() == 2, "{error}");
        }
    }
}
