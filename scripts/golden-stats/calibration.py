"""How often each method calls two equal models different at 5 %, as the table in verdict.rs.

    python calibration.py

Differences by seed and item are normal: a part of the seed, one of the item, and one of both. The first
scenario is what four seeds of cnn and encoder-mlp show after 50 epochs (standard deviations 0.7 points, 0.10
and 0.30), with the seed's part scaled from 10,000 test items to 500. The others exaggerate one part each.
"""

import numpy as np
from scipy import stats

from make import crossed_effects

ITEMS, TRIALS, REPLICATES = 500, 600, 800
# Variances of seed, item and both.
SCENARIOS = {
    "as measured": (9.8e-4, 0.0095, 0.091),
    "seeds above all": (1e-2, 0.03, 0.10),
    "items above all": (0.0, 0.10, 0.02),
    "both together above all": (4.5e-5, 0.03, 0.10),
}


def errs(rng, seeds, variances):
    """Whether both two-way methods, each alone, and the t test over seeds find a difference where there is none."""
    sizes = ((seeds, 1), (1, ITEMS), (seeds, ITEMS))
    d = sum(rng.normal(0, np.sqrt(variance), size) for variance, size in zip(variances, sizes, strict=True))
    seed_weights = rng.multinomial(seeds, np.full(seeds, 1 / seeds), REPLICATES)
    item_weights = rng.multinomial(ITEMS, np.full(ITEMS, 1 / ITEMS), REPLICATES)
    low, high = np.quantile(((seed_weights @ d) * item_weights).sum(axis=1), [0.025, 0.975])
    bootstrap, crossed = not low <= 0 <= high, crossed_effects([d])["p"] < 0.05
    return bootstrap and crossed, bootstrap, crossed, stats.ttest_1samp(d.mean(axis=1), 0).pvalue < 0.05


def main():
    print("| what varies | seeds | verdict | bootstrap | crossed effects | t over seeds |\n|---|--:|--:|--:|--:|--:|")
    for name, variances in SCENARIOS.items():
        for seeds in (3, 4, 5, 10):
            rng = np.random.default_rng(seeds)
            rates = np.mean([errs(rng, seeds, variances) for _ in range(TRIALS)], axis=0)
            print(f"| {name} | {seeds} | " + " | ".join(f"{100 * rate:.1f} %" for rate in rates) + " |", flush=True)


if __name__ == "__main__":
    main()
