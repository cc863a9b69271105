"""Inputs and expected values of the statistics in fm-report, from SciPy and statsmodels, as stats.json.

    python make.py
"""

import json
import pathlib

import numpy as np
import pandas as pd
import scipy
import statsmodels
import statsmodels.formula.api as smf
from scipy import integrate, optimize, stats
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import fleiss_kappa
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.nonparametric import rank_compare_2indep
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

FILE = pathlib.Path(__file__).resolve().parents[2] / "crates/fm-report/tests/golden/stats.json"


def interval(mean, half):
    return [mean - half, mean + half]


def summary(values):
    test = stats.ttest_1samp(values, 0.0)
    low, high = test.confidence_interval(0.95)
    return {"values": values, "mean": np.mean(values), "sd": np.std(values, ddof=1), "interval": [low, high]}



def distribution(values):
    n = len(values)
    low, high = stats.chi2.ppf([0.975, 0.025], n - 1)
    sd = np.std(values, ddof=1)
    return {"values": values, "sd": sd, "interval": [sd * np.sqrt((n - 1) / low), sd * np.sqrt((n - 1) / high)],
            "quantiles": list(np.quantile(values, [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])),
            "skewness": stats.skew(values, bias=False), "kurtosis": stats.kurtosis(values, bias=False)}


def t_test(kind, first, second):
    test = stats.ttest_rel(second, first) if kind == "paired" else stats.ttest_ind(second, first, equal_var=False)
    low, high = test.confidence_interval(0.95)
    return {"kind": kind, "first": first, "second": second, "difference": np.mean(second) - np.mean(first),
            "df": test.df, "t": test.statistic, "p": test.pvalue, "interval": [low, high]}


def mcnemar_test(b, c):
    exact = mcnemar([[0, b], [c, 0]], exact=True).pvalue
    # Fagerland, Lydersen & Laake 2013; half the point probability where both are equal.
    point = stats.binom.pmf(b, b + c, 0.5)
    mid = 1 - point / 2 if b == c else exact - point
    return {"only_first": b, "only_second": c, "exact": exact, "mid": mid}


def holm(p):
    return {"p": p, "adjusted": list(multipletests(p, method="holm")[1])}


def noncentral(effect, df):
    critical = stats.t.ppf(0.975, df)
    return stats.nct.sf(critical, df, effect) + stats.nct.cdf(-critical, df, effect)


def power(effect, sd, n):
    value = TTestPower().power(effect_size=effect / sd, nobs=n, alpha=0.05)
    return {"effect": effect, "sd": sd, "n": n, "power": value}


def sample_size(effect, sd):
    n = TTestPower().solve_power(effect_size=effect / sd, alpha=0.05, power=0.8)
    return {"effect": effect, "sd": sd, "n": int(np.ceil(n))}


def answers(rng, skill, difficulty, seeds):
    """Right or wrong by seed and item: seeds vary, items vary, and what is left is chance."""
    logit = skill + rng.normal(0, 0.25, (seeds, 1)) - difficulty
    return (rng.random((seeds, len(difficulty))) < 1 / (1 + np.exp(-logit))).astype(int)


def anova_error(arm):
    """Standard error of the mean of crossed random effects, from statsmodels' two-way analysis of variance."""
    seeds, items = arm.shape
    rows = pd.DataFrame({"y": arm.ravel(), "seed": np.repeat(np.arange(seeds), items),
                         "item": np.tile(np.arange(items), seeds)})
    table = anova_lm(smf.ols("y ~ C(seed) + C(item)", rows).fit())
    by_seed, by_item, rest = table["sum_sq"] / table["df"]
    assert min(by_seed, by_item) > rest, "a component would be negative"
    return np.sqrt((by_seed + by_item - rest) / (seeds * items))


def equivalence(first, second, margin):
    p, *_ = ttost_paired(np.array(second), np.array(first), -margin, margin)
    return {"first": first, "second": second, "margin": margin, "p": p}


def detectable(sd, n, alpha):
    effect = TTestPower().solve_power(nobs=n, alpha=alpha, power=0.8)
    return {"standard_error": sd / np.sqrt(n), "df": n - 1, "alpha": alpha, "detectable": effect * sd}


def anytime(t, n, g=4.0):
    """Bayes factor of a normal prior with variance g on the mean over the standard deviation, by quadrature over the
    noncentral t distribution."""
    at = t / np.sqrt(n)
    ratio = lambda d: stats.nct.pdf(t, n - 1, d * np.sqrt(n)) * stats.norm.pdf(d, scale=np.sqrt(g))
    value = sum(integrate.quad(ratio, low, high, epsabs=0, epsrel=1e-10)[0]
                for low, high in [(-12, 0), (0, at), (at, 2 * at + 1), (2 * at + 1, 12)])
    return {"t": t, "n": n, "e": value / stats.t.pdf(t, n - 1)}


def newcombe(p, m, n):
    """Newcombe 2006, method 5: where the estimate is z standard errors from the probability."""
    z2 = stats.norm.ppf(0.975) ** 2
    at = lambda x: (x - p) ** 2 * m * n - z2 * x * (1 - x) * (
        1 + ((m + n) / 2 - 1) * ((1 - x) / (2 - x) + x / (1 + x)))
    # Next to the estimate itself the function is below zero, and zero there where that is 0 or 1.
    return [optimize.brentq(at, 1e-15, p - 1e-9, xtol=1e-15) if p > 0 else 0.0,
            optimize.brentq(at, p + 1e-9, 1 - 1e-15, xtol=1e-15) if p < 1 else 1.0]


def superiority(first, second):
    p = stats.mannwhitneyu(second, first).statistic / (len(first) * len(second))
    if len(set(first) & set(second)) or max(first) > min(second):
        assert np.isclose(p, rank_compare_2indep(second, first).prob1, rtol=1e-12)
    return {"first": first, "second": second, "probability": p, "interval": newcombe(p, len(first), len(second))}


def crossed_effects(arms):
    """Method of moments for crossed random effects, by analysis of variance of each arm."""
    n = arms[0].shape[1]
    parts, shared, columns = [], 0.0, 0.0
    for arm in arms:
        s, rows, cols = len(arm), arm.mean(axis=1, keepdims=True), arm.mean(axis=0, keepdims=True)
        residual = ((arm - rows - cols + arm.mean()) ** 2).sum() / ((s - 1) * (n - 1))
        parts.append((max(rows.var(ddof=1), residual / n) / s, s - 1))
        shared += residual / (s * n)
        columns = columns + cols
    parts.append((max(columns.var(ddof=1) / n - shared, 0.0), n - 1))
    difference = sum(arm.mean() for arm in arms)
    variance = sum(v for v, _ in parts)
    df = variance**2 / sum(v**2 / d for v, d in parts)
    error = np.sqrt(variance)
    t = difference / error
    return {"difference": difference, "standard_error": error, "df": df, "p": 2 * stats.t.sf(abs(t), df),
            "interval": interval(difference, stats.t.ppf(0.975, df) * error)}


def two_way(rng, name, skills, seeds, items):
    difficulty = rng.normal(0, 1.5, items)
    first, second = (answers(rng, skill, difficulty, n) for skill, n in zip(skills, seeds, strict=True))
    arms = [second - first] if name == "paired" else [-first, second]
    rows = [["".join(map(str, row)) for row in group] for group in (first, second)]
    return {"kind": name, "first": rows[0], "second": rows[1], "crossed": crossed_effects(arms)}


def mixed(seeds, items):
    """Paired runs whose seeds and items both vary more than chance alone, so that no component is cut off at zero."""
    rng = np.random.default_rng(1)
    difficulty = rng.normal(0, 1.5, items)
    shift = rng.normal(0.8, 0.6, (seeds, 1)) + rng.normal(0, 1.0, items)
    first = (rng.random((seeds, items)) < 1 / (1 + np.exp(difficulty))).astype(int)
    second = (rng.random((seeds, items)) < 1 / (1 + np.exp(difficulty - shift))).astype(int)
    rows = [["".join(map(str, row)) for row in group] for group in (first, second)]
    arm = second - first
    return {"kind": "paired", "first": rows[0], "second": rows[1], "crossed": crossed_effects([arm]),
            "anova_error": anova_error(arm)}


def rank_correlation(seed, digits):
    rng = np.random.default_rng(seed)
    first = rng.random(40)
    second = 0.6 * first + 0.4 * rng.random(40)
    # Rounded, so that values are equal.
    first, second = ([round(v, digits) for v in values] for values in (first, second))
    return {"first": first, "second": second, "rho": stats.spearmanr(first, second).statistic}


def kappa(seed, images, classes, runs):
    rng = np.random.default_rng(seed)
    counts = np.array([rng.multinomial(runs, rng.dirichlet(np.full(classes, 0.3))) for _ in range(images)])
    return {"counts": counts.tolist(), "kappa": fleiss_kappa(counts, method="fleiss")}


def main():
    rng = np.random.default_rng(0)
    cnn = [round(v, 4) for v in rng.normal(0.8950, 0.003, 10)]
    mlp = [round(v, 4) for v in rng.normal(0.9050, 0.002, 10)]
    golden = {
        "made_by": f"scripts/golden-stats/make.py, scipy {scipy.__version__}, statsmodels {statsmodels.__version__}",
        "t_quantile": [{"p": p, "df": df, "t": stats.t.ppf(p, df)}
                       for p in (0.025, 0.6, 0.975, 0.9995) for df in (1, 2, 3.7, 9, 49, 9999)],
        "two_sided_t": [{"t": t, "df": df, "p": 2 * stats.t.sf(abs(t), df)}
                        for t in (0.1, -2.2, 6.0, 25.0) for df in (1, 4.5, 9, 9999)],
        "chi_squared_quantile": [{"p": p, "df": df, "x": stats.chi2.ppf(p, df)}
                                 for p in (0.1, 0.9) for df in (1, 2, 9, 13.4)],
        "normal_quantile": [{"p": p, "z": stats.norm.ppf(p)} for p in (1e-6, 0.025, 0.5, 0.8, 0.975)],
        "summary": [summary(cnn), summary(mlp), summary(cnn[:2]), summary(cnn[:3])],
        "distribution": [distribution(cnn), distribution([0.1, 0.2, 0.2, 0.9]), distribution(list(np.arange(50.0) ** 2))],
        "t_test": [t_test("paired", cnn, mlp), t_test("paired", cnn[:3], mlp[3:6]), t_test("paired", cnn, cnn[::-1]),
                   t_test("welch", cnn, mlp), t_test("welch", cnn[:2], mlp), t_test("welch", cnn, cnn[:4])],
        "mcnemar": [mcnemar_test(b, c) for b, c in
                    [(0, 1), (1, 7), (7, 1), (10, 10), (352, 553), (480, 512), (3000, 3100), (0, 60)]],
        "holm": [holm([0.01, 0.04, 0.03, 0.005]), holm([0.2, 0.9, 0.04, 0.04, 1e-5]), holm([0.03])],
        "t_power": [{"effect": e, "df": df, "power": noncentral(e, df)}
                    for e in (0.5, 2.0, 3.5) for df in (1, 2.6, 9, 120)],
        "power": [power(e, sd, n) for e, sd, n in [(0.01, 0.005, 4), (0.002, 0.003, 10), (0.001, 0.004, 80)]],
        "sample_size": [sample_size(e, sd) for e, sd in [(0.01, 0.003), (0.002, 0.003), (0.001, 0.004), (0.0004, 0.004)]],
        "equivalence": [equivalence(cnn, mlp, 0.02), equivalence(cnn[:3], cnn[3:6], 0.004), equivalence(cnn, mlp, 0.005)],
        "detectable": [detectable(sd, n, alpha) for sd, n, alpha in [(0.003, 3, 0.05), (0.004, 10, 0.05), (0.004, 10, 0.005)]],
        "anytime": [anytime(t, n) for t, n in [(0.5, 3), (2.0, 5), (5.0, 7), (3.0, 20), (4.5, 60)]],
        "two_way": [two_way(rng, "paired", (1.0, 1.3), (4, 4), 120), two_way(rng, "paired", (1.2, 1.2), (10, 10), 200),
                    two_way(rng, "unpaired", (1.0, 1.6), (3, 5), 120), mixed(6, 80), mixed(9, 150)],
        "superiority": [superiority(cnn, mlp), superiority(mlp, cnn), superiority(cnn[:3], cnn[3:]),
                        superiority([0.9, 0.91, 0.92], [0.91, 0.91, 0.93, 0.95]),
                        superiority([0.1, 0.2], [0.3, 0.4, 0.5])],
        "spearman": [rank_correlation(2, 6), rank_correlation(3, 1)],
        "fleiss_kappa": [kappa(4, 12, 3, 5), kappa(5, 20, 10, 2)],
    }
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(golden, indent=1, default=float) + "\n")
    print(f"{FILE.name}: {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
