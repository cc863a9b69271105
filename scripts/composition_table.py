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


def main():
    packed = Packed(sys.argv[1] if len(sys.argv) > 1 else "results/composition-cpu")
    arms = {}
    for summary in packed.summaries():
        arms.setdefault(summary["arm"], []).append(summary)
    seeds = {tuple(sorted(run["seed"] for run in runs)) for runs in arms.values()}
    assert len(seeds) == 1, f"arms of different seeds: {seeds}"
    print(f"| arm ({len(seeds.pop())} seeds, mean ± sd) | test accuracy | range | Shirt recall | trainable parameters | training of seed 0, s |")
    print("|---|--:|--:|--:|--:|--:|")
    for arm in sorted(arms, key=ORDER.index):
        runs = arms[arm]
        accuracy = [run["test"]["accuracy"] for run in runs]
        recall = [run["test"]["recall"]["Shirt"] for run in runs]
        # Of the first seed: the others were trained while the machine had other work.
        seconds = min(runs, key=lambda run: run["seed"])["train_seconds"]
        cells = [
            arm,
            spread(accuracy, 4),
            f"{min(accuracy):.4f} to {max(accuracy):.4f}",
            spread(recall, 3),
            f"{runs[0]['trainable_params']:,}",
            f"{seconds:.0f}",
        ]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
