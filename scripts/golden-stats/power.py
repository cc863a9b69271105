"""Whether the seeds that `fm-exp power` names have power 0.8, and how often its range holds them: by simulation.

    .venv-golden-stats/bin/python scripts/golden-stats/power.py

Differences by seed are normal with a standard deviation `sd`, the choice of 10,000 images adds `images`, all in points.
"""

import numpy as np
from scipy import stats

IMAGES, REPETITIONS, PILOTS = 10_000, 200_000, 300


def power(effect, sd, images, n):
    """Of the t test with Satterthwaite's degrees of freedom, from SciPy's noncentral t."""
    seeds = sd**2 / n
    total = seeds + images**2
    df = total**2 / (seeds**2 / (n - 1) + images**4 / (IMAGES - 1))
    critical, shift = stats.t.ppf(0.975, df), effect / np.sqrt(total)
    return stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift)


def needed(effect, sd, images):
    return next((n for n in range(2, 1001) if power(effect, sd, images, n) >= 0.8), 1001)


def found(rng, effect, sd, images, n):
    difference = effect + rng.normal(0, images, REPETITIONS) + rng.normal(0, sd / np.sqrt(n), REPETITIONS)
    seeds = sd**2 * rng.chisquare(n - 1, REPETITIONS) / (n - 1) / n
    total = seeds + images**2
    df = total**2 / (seeds**2 / (n - 1) + images**4 / (IMAGES - 1))
    return np.mean(2 * stats.t.sf(np.abs(difference) / np.sqrt(total), df) < 0.05)


def holds(rng, effect, sd, images, n, pilot):
    estimates = sd**2 * rng.chisquare(pilot - 1, PILOTS)
    ends = [[needed(effect, np.sqrt(e / stats.chi2.ppf(p, pilot - 1)), images) for e in estimates] for p in (0.9, 0.1)]
    return np.mean((np.array(ends[0]) <= n) & (n <= np.array(ends[1])))


def main():
    rng = np.random.default_rng(0)
    for effect, sd, images in [(0.5, 0.4, 0.1), (0.5, 0.5, 0.1), (0.8, 0.49, 0.1), (0.4, 0.4, 0.1)]:
        n = needed(effect, sd, images)
        cover = ", ".join(f"{pilot} seeds {100 * holds(rng, effect, sd, images, n, pilot):.0f} %" for pilot in (3, 5, 10))
        print(f"{effect} points, sd {sd}, images {images}: {n} seeds, found in {100 * found(rng, effect, sd, images, n):.1f} %;"
              f" the range holds {n} with a pilot of {cover}")


if __name__ == "__main__":
    main()
