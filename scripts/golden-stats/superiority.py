"""How often the interval of the probability that one run beats another holds it, by simulation: Newcombe's method 5, and
Brunner and Munzel's on the logit scale (for pairs, Munzel 1999), which has no width where all runs are ahead.

    .venv-golden-stats/bin/python scripts/golden-stats/superiority.py

Normal scores; runs of one seed are correlated by rho.
"""

import numpy as np
from make import newcombe
from scipy import special, stats

REPETITIONS = 2_000


def probability(a, b):
    a, b = a[:, None], b[None, :]
    return ((b > a) + 0.5 * (b == a)).mean()


def brunner_munzel(a, b):
    n = len(a)
    below = lambda values, x: np.mean(values < x) + 0.5 * np.mean(values == x)
    placements = np.array([below(a, x) for x in b]) - np.array([below(b, x) for x in a])
    p, variance = probability(a, b), placements.var(ddof=1) / n
    if not 0 < p < 1 or variance == 0:
        return p, p
    half = stats.t.ppf(0.975, n - 1) * np.sqrt(variance) / (p * (1 - p))
    return special.expit(special.logit(p) + np.array([-half, half]))


def main():
    rng = np.random.default_rng(0)
    print("| seeds | rho | probability | Newcombe covers | width | Brunner-Munzel covers | width |")
    print("|--:|--:|--:|--:|--:|--:|--:|")
    for n in (2, 3, 5, 10):
        for rho in (-0.5, 0.0, 0.5):
            for true in (0.5, 0.75, 0.9, 0.98):
                shift = np.sqrt(2) * stats.norm.ppf(true)
                held, width = np.zeros(2), np.zeros(2)
                for _ in range(REPETITIONS):
                    a = rng.normal(size=n)
                    b = rho * a + np.sqrt(1 - rho**2) * rng.normal(size=n) + shift
                    for i, (low, high) in enumerate((newcombe(probability(a, b), n, n), brunner_munzel(a, b))):
                        held[i] += low <= true <= high
                        width[i] += high - low
                held, width = 100 * held / REPETITIONS, width / REPETITIONS
                print(f"| {n} | {rho} | {true} | {held[0]:.1f} % | {width[0]:.2f} | {held[1]:.1f} % | {width[1]:.2f} |")


if __name__ == "__main__":
    main()
