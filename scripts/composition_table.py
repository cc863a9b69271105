#!/usr/bin/env python3
"""The README's table of the composition experiment.

    scripts/composition_table.py [DIRECTORY]      one that holds runs.npz, see fm-exp pack
"""

import statistics
import sys

from lib.packed import Packed

# From what is trained least to what is trained most.
ORDER = ["frozen on random", "frozen on autoencoder", "frozen on classifier", "fine-tuned from autoencoder", "joint"]


def spread(values, digits):
    """mean ± standard deviation."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{digits}f} ± {deviation:.{digits}f}"


def accuracies(scored):
    """By length the test accuracies of an arm's runs, and their validation accuracies."""
    test, val = {}, {}
    for run in scored:
        for at in run:
            test.setdefault(at["epochs"], []).append(at["test"]["accuracy"])
            val.setdefault(at["epochs"], []).append(at["val"]["accuracy"])
    return test, val


def main():
    packed = Packed(sys.argv[1] if len(sys.argv) > 1 else "results/composition-cpu")
    arms = {}
    for run in packed.runs:
        arms.setdefault(packed.own(run)["summary"]["arm"], []).append([scored["summary"] for scored in run["scored"]])
    owns = {arm: [max(run, key=lambda scored: scored["epochs"]) for run in runs] for arm, runs in arms.items()}
    seeds = {tuple(sorted(run["seed"] for run in runs)) for runs in owns.values()}
    assert len(seeds) == 1, f"arms of different seeds: {seeds}"
    print(f"| arm ({len(seeds.pop())} seeds, mean ± sd) | test accuracy after 25 epochs | range | Shirt recall | epochs by "
          "validation | test accuracy there | trainable parameters |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for arm in sorted(arms, key=ORDER.index):
        runs = owns[arm]
        accuracy = [run["test"]["accuracy"] for run in runs]
        recall = [run["test"]["recall"]["Shirt"] for run in runs]
        test, val = accuracies(arms[arm])
        chosen = max(sorted(val), key=lambda epochs: statistics.mean(val[epochs]))
        before = runs[0]["pretrain_epochs"] or 0
        cells = [
            arm,
            spread(accuracy, 4),
            f"{min(accuracy):.4f} to {max(accuracy):.4f}",
            spread(recall, 3),
            f"{before} + {chosen}" if before else str(chosen),
            spread(test[chosen], 4),
            f"{runs[0]['trainable_params']:,}",
        ]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
