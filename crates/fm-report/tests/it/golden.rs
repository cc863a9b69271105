//! Every statistic against SciPy and statsmodels: `scripts/golden-stats/make.py` makes the file.

use std::sync::LazyLock;

use fm_report::stats::{
    Interval, McNemar, Needed, Outcomes, TTest, chi_squared_quantile, crossed, detectable, e_value, holm,
    normal_quantile, paired_t, paired_t_power, seeds_for, summarize, t_power, t_quantile, two_sided_t, welch,
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

fn outcomes(case: &Value) -> Outcomes {
    let rows = |key: &str| -> Vec<Vec<bool>> {
        let rows = case[key].as_array().unwrap().iter().map(|row| row.as_str().unwrap());
        rows.map(|row| row.bytes().map(|byte| byte == b'1').collect()).collect()
    };
    let (first, second) = (rows("first"), rows("second"));
    let [a, b] = [&first, &second].map(|rows| rows.iter().map(Vec::as_slice).collect::<Vec<_>>());
    if case["kind"] == "paired" { Outcomes::paired(&a, &b) } else { Outcomes::unpaired(&a, &b) }.unwrap()
}

#[test]
fn crossed_effects() {
    for case in cases("two_way") {
        let (found, expected) = (crossed(&outcomes(case)).unwrap().test, &case["crossed"]);
        test_agrees(&found, expected);
        close(found.standard_error, expected, "standard_error");
        // From another's analysis of variance.
        if let Some(anova) = case["anova_error"].as_f64() {
            near(found.standard_error, anova, "standard error");
        }
    }
}
