//! Every statistic against others' computation: `scripts/golden-stats` has what makes the files, with SciPy, statsmodels,
//! lme4, multcompView, scikit-learn and torchmetrics.

use std::sync::LazyLock;

use fm_report::stats::{
    Interval, McNemar, Needed, Outcomes, TTest, calibration_error, chi_squared_quantile, components, crossed,
    crossed_values, detectable, distribution, e_value, fleiss_kappa, holm, letters, noise, normal_quantile,
    paired_t, paired_t_power, seeds_for, spearman, summarize, superiority, t_power, t_quantile, two_sided_t,
    welch,
};
use serde_json::Value;

static GOLDEN: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../golden/stats.json")).unwrap());

fn cases(name: &str) -> &'static [Value] {
    let cases = GOLDEN[name].as_array().unwrap();
    assert!(!cases.is_empty());
    cases
}

fn number(case: &Value, key: &str) -> f64 {
    case[key].as_f64().unwrap_or_else(|| panic!("{key} in {case}"))
}

fn numbers(case: &Value, key: &str) -> Vec<f64> {
    case[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// Agree to 1e-9, of the larger of the two or of 1e-3: p values and differences may be next to nothing.
fn close(found: f64, case: &Value, key: &str) {
    near(found, number(case, key), &format!("{key} of {case}"));
}

fn near(found: f64, expected: f64, what: &str) {
    let scale = found.abs().max(expected.abs()).max(1e-3);
    assert!((found - expected).abs() <= 1e-9 * scale, "{found} instead of {expected}: {what}");
}

fn interval(found: Interval, case: &Value) {
    let expected = numbers(case, "interval");
    near(found.low, expected[0], "low");
    near(found.high, expected[1], "high");
}

#[test]
fn distributions() {
    for case in cases("t_quantile") {
        close(t_quantile(number(case, "p"), number(case, "df")), case, "t");
    }
    for case in cases("two_sided_t") {
        let p = two_sided_t(number(case, "t"), number(case, "df"));
        close(p, case, "p");
        let ratio = p / number(case, "p");
        assert!((ratio - 1.0).abs() < 1e-9, "small p values too: {ratio} {case}");
    }
    for case in cases("chi_squared_quantile") {
        close(chi_squared_quantile(number(case, "p"), number(case, "df")), case, "x");
    }
    for case in cases("normal_quantile") {
        close(normal_quantile(number(case, "p")), case, "z");
    }
}

#[test]
fn summaries() {
    for case in cases("summary") {
        let found = summarize(&numbers(case, "values")).unwrap();
        close(found.mean, case, "mean");
        close(found.sd.unwrap(), case, "sd");
        interval(found.interval.unwrap(), case);
    }
}

fn test_agrees(found: &TTest, case: &Value) {
    close(found.difference, case, "difference");
    close(found.df, case, "df");
    close(found.p, case, "p");
    interval(found.interval, case);
}

#[test]
fn t_tests() {
    for case in cases("t_test") {
        let test = if case["kind"] == "paired" { paired_t } else { welch };
        let found = test(&numbers(case, "first"), &numbers(case, "second")).unwrap();
        test_agrees(&found, case);
        close(found.t, case, "t");
    }
}

#[test]
fn tests_of_equivalence() {
    for case in cases("equivalence") {
        let test = paired_t(&numbers(case, "first"), &numbers(case, "second")).unwrap();
        close(test.p_equivalence(number(case, "margin")), case, "p");
    }
}

#[test]
fn mcnemar() {
    for case in cases("mcnemar") {
        let count = |key| case[key].as_u64().unwrap();
        let found = McNemar::from_counts(count("only_first"), count("only_second"));
        for (p, key) in [(found.exact, "exact"), (found.mid, "mid")] {
            let ratio = p / number(case, key);
            assert!((ratio - 1.0).abs() < 1e-9, "{key} {p}: {case}");
        }
    }
}

#[test]
fn holms_correction() {
    for case in cases("holm") {
        for (found, expected) in holm(&numbers(case, "p")).into_iter().zip(numbers(case, "adjusted")) {
            near(found, expected, "adjusted");
        }
    }
}

#[test]
fn power_and_sample_size() {
    for case in cases("t_power") {
        close(t_power(number(case, "effect"), number(case, "df")), case, "power");
    }
    for case in cases("detectable") {
        let found = detectable(number(case, "standard_error"), number(case, "df"), number(case, "alpha"));
        assert!((found / number(case, "detectable") - 1.0).abs() < 1e-6, "{found}: {case}");
    }
    let seeds = |case: &Value| case["n"].as_u64().unwrap() as u32;
    for case in cases("power") {
        close(paired_t_power(number(case, "effect"), number(case, "sd"), seeds(case)), case, "power");
    }
    for case in cases("sample_size") {
        let found = seeds_for(number(case, "effect"), number(case, "sd"));
        assert_eq!(found, Needed::Seeds(seeds(case)), "{case}");
    }
}

#[test]
fn e_values() {
    for case in cases("anytime") {
        let found = e_value(number(case, "t"), number(case, "n") as usize);
        assert!((found / number(case, "e") - 1.0).abs() < 1e-7, "{found}: {case}");
    }
}

/// By seed and item, from a text of zeros and ones for each seed.
fn rows(case: &Value, key: &str) -> Vec<Vec<bool>> {
    let rows = case[key].as_array().unwrap().iter().map(|row| row.as_str().unwrap());
    rows.map(|row| row.bytes().map(|byte| byte == b'1').collect()).collect()
}

fn values(rows: &[Vec<bool>]) -> Vec<Vec<f64>> {
    rows.iter().map(|row| row.iter().map(|&right| f64::from(u8::from(right))).collect()).collect()
}

fn outcomes(case: &Value, paired: bool) -> Outcomes {
    let [first, second] = ["first", "second"].map(|key| rows(case, key));
    let [a, b] = [&first, &second].map(|rows| rows.iter().map(Vec::as_slice).collect::<Vec<_>>());
    if paired { Outcomes::paired(&a, &b) } else { Outcomes::unpaired(&a, &b) }.unwrap()
}

#[test]
fn crossed_effects() {
    for case in cases("two_way") {
        let (found, expected) =
            (crossed(&outcomes(case, case["kind"] == "paired")).unwrap().test, &case["crossed"]);
        test_agrees(&found, expected);
        close(found.standard_error, expected, "standard_error");
        // The same of numbers that need not be 0 or 1.
        let [first, second] = ["first", "second"].map(|key| values(&rows(case, key)));
        let arms = if case["kind"] == "paired" {
            let less = |(b, a): (&Vec<f64>, &Vec<f64>)| b.iter().zip(a).map(|(b, a)| b - a).collect();
            vec![second.iter().zip(&first).map(less).collect()]
        } else {
            vec![first.iter().map(|row| row.iter().map(|v| -v).collect()).collect(), second]
        };
        test_agrees(&crossed_values(&arms).unwrap().test, expected);
        // From another's analysis of variance.
        if let Some(anova) = case["anova_error"].as_f64() {
            near(found.standard_error, anova, "standard error");
        }
    }
}

#[test]
fn probability_of_superiority() {
    for case in cases("superiority") {
        let found = superiority(&numbers(case, "first"), &numbers(case, "second")).unwrap();
        close(found.probability, case, "probability");
        interval(found.interval, case);
    }
}

/// Another file's cases.
fn file(text: &str) -> Vec<Value> {
    let cases = serde_json::from_str::<Value>(text).unwrap()["cases"].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

/// Components and standard error agree to six digits, as far as REML's search goes. Degrees of freedom are Satterthwaite's by
/// two ways, from mean squares here and from the likelihood there: within 2 %, so ends of the interval within 0.5 % of
/// its width.
#[test]
fn crossed_effects_are_those_of_lme4() {
    let six = |found: f64, expected: f64, what: &str| {
        assert!((found / expected - 1.0).abs() < 1e-6, "{found} instead of {expected}: {what}");
    };
    for case in file(include_str!("../golden/lme4.json")) {
        let (found, expected) = (crossed(&outcomes(&case, true)).unwrap(), &case["difference"]);
        let (seeds, items) = (found.seed_variances[0].1 as f64, found.items as f64);
        let part = |key: &str| number(expected, key);
        six(found.test.difference, part("mean"), "mean");
        six(found.test.standard_error, part("standard_error"), "standard error");
        six(found.seed_variances[0].0, part("seeds") + part("remainder") / items, "variance of seeds' means");
        six(found.item_variance, part("items") / items, "what other items add");
        assert!((found.test.df / part("df") - 1.0).abs() < 0.02, "{}: {expected}", found.test.df);
        let ends = numbers(expected, "interval");
        let off = (found.test.interval.low - ends[0]).abs().max((found.test.interval.high - ends[1]).abs());
        assert!(off < 0.005 * (ends[1] - ends[0]), "{:?}: {expected}", found.test.interval);

        let (second, expected) = (rows(&case, "second"), &case["of_second"]);
        let found = noise(&second.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap().unwrap();
        six(found.networks.powi(2), number(expected, "seeds"), "between networks");
        six(found.flicker.powi(2), number(expected, "remainder") / items, "flicker");
        six(found.images.powi(2), number(expected, "items") / items, "other images");
        assert!(seeds > 2.0);
    }
}

/// Six digits, as far as REML's search goes.
#[test]
fn components_of_crossed_designs_are_those_of_lme4() {
    for case in file(include_str!("../golden/components.json")) {
        let size: Vec<usize> = numbers(&case, "size").iter().map(|&n| n as usize).collect();
        let values = numbers(&case, "values");
        let rows = values.chunks(size[1] * size[2]);
        let table: Vec<Vec<Vec<f64>>> =
            rows.map(|row| row.chunks(size[2]).map(<[f64]>::to_vec).collect()).collect();
        let found = components(&table).unwrap();
        let parts = [Some(found.rows), Some(found.columns), found.pairs, Some(found.rest)];
        for (part, key) in parts.into_iter().zip(["rows", "columns", "pairs", "rest"]) {
            let Some(part) = part else { continue };
            let off = part.variance / number(&case, key) - 1.0;
            assert!(off.abs() < 1e-6, "{key}: {part:?} instead of {}", case[key]);
            assert!(part.interval.low < part.variance && part.variance < part.interval.high);
        }
    }
}

#[test]
fn distributions_of_accuracies() {
    for case in cases("distribution") {
        let found = distribution(&numbers(case, "values")).unwrap();
        close(found.sd.0, case, "sd");
        interval(found.sd.1, case);
        close(found.skewness.0, case, "skewness");
        close(found.kurtosis.0, case, "kurtosis");
        for (found, expected) in found.quantiles.into_iter().zip(numbers(case, "quantiles")) {
            near(found, expected, "quantile");
        }
    }
}

/// Letters are those of multcompView up to their order: as sets of groups that share one.
#[test]
fn letters_are_those_of_multcomp_view() {
    for case in file(include_str!("../golden/letters.json")) {
        let n = case["n"].as_u64().unwrap() as usize;
        let pair = |pair: &Value| (pair[0].as_u64().unwrap() as usize, pair[1].as_u64().unwrap() as usize);
        let different: Vec<_> = case["different"].as_array().unwrap().iter().map(pair).collect();
        let sets = |said: &[String]| {
            let mut all: std::collections::BTreeMap<char, Vec<usize>> = std::collections::BTreeMap::new();
            for (group, said) in said.iter().enumerate() {
                said.chars().for_each(|letter| all.entry(letter).or_default().push(group));
            }
            all.into_values().collect::<std::collections::BTreeSet<_>>()
        };
        let expected: Vec<String> =
            case["letters"].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect();
        assert_eq!(sets(&letters(n, &different)), sets(&expected), "{case}");
    }
}

/// To six digits: torchmetrics adds in 32 bits.
#[test]
fn calibration_errors() {
    for case in file(include_str!("../../../fm-train/tests/golden/calibration.json")) {
        let classes = case["classes"].as_u64().unwrap() as usize;
        let logits = numbers(&case, "logits");
        for (key, temperature) in [("as_it_is", 1.0), ("scaled", number(&case, "temperature"))] {
            let said = |(row, label): (&[f64], f64)| {
                let sum: f64 = row.iter().map(|z| (z / temperature).exp()).sum();
                let (at, z) = row.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
                ((z / temperature).exp() / sum, (label - at as f64).abs() < 0.5)
            };
            let said: Vec<_> = logits.chunks(classes).zip(numbers(&case, "labels")).map(said).collect();
            let expected = number(&case[key], "calibration_error");
            let found = calibration_error(&said);
            assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
        }
    }
}

#[test]
fn rank_correlation_and_agreement() {
    for case in cases("spearman") {
        close(spearman(&numbers(case, "first"), &numbers(case, "second")).unwrap(), case, "rho");
    }
    for case in cases("fleiss_kappa") {
        let counts: Vec<Vec<u32>> = serde_json::from_value(case["counts"].clone()).unwrap();
        close(fleiss_kappa(counts.iter().map(Vec::as_slice)).unwrap(), case, "kappa");
    }
}
