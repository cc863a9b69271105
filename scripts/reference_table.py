#!/usr/bin/env python3
"""The README's tables of the reference runs, beside the notebook's own numbers.

    scripts/reference_table.py [DIRECTORY]      one that holds runs.npz, see fm-exp pack
"""

import statistics
import sys

from lib.packed import Packed

# The published confusion matrices of single runs: rows true, columns predicted, in the order of the classes.
MATRIX = {
    "cnn": """861 0 24 19 7 2 79 0 8 0  3 974 4 13 4 0 2 0 0 0  19 0 820 17 82 0 62 0 0 0
        31 12 18 875 37 0 27 0 0 0  2 1 43 23 876 0 54 0 1 0  2 0 0 0 0 976 0 14 1 7
        136 1 72 33 127 0 625 0 6 0  0 0 0 0 0 10 0 974 0 16  7 0 5 3 11 5 9 1 958 1
        1 0 0 0 1 10 0 51 0 937""",
    "encoder-mlp": """843 1 25 10 7 1 110 0 3 0  0 984 2 7 3 0 2 0 2 0  19 0 850 10 64 2 55 0 0 0
        21 8 7 891 36 2 33 0 2 0  2 0 35 21 886 0 54 0 1 1  0 0 0 0 0 981 0 13 0 6
        88 1 67 27 64 1 745 0 7 0  0 1 0 0 0 14 0 959 0 26  6 0 5 3 4 2 2 2 975 1
        0 0 1 0 0 6 0 30 0 963""",
}
NOTEBOOK = {"cnn": (0.8573, 0.8876, 0.625), "encoder-mlp": (0.7093, 0.9077, 0.745)}


def spread(values, digits):
    """mean ± standard deviation (lowest to highest)."""
    mean, low, high = (f"{f(values):.{digits}f}" for f in (statistics.mean, min, max))
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{mean} ± {deviation:.{digits}f} ({low} to {high})"


def main():
    packed = Packed(sys.argv[1] if len(sys.argv) > 1 else "results/reference-cpu")
    summaries = packed.summaries()
    print("| | | notebook, one run | seed 0 | all seeds: mean ± sd (range) |")
    print("|---|---|--:|--:|--:|")
    for arch, notebook in NOTEBOOK.items():
        runs = sorted((s for s in summaries if s["arch"] == arch), key=lambda s: s["seed"])
        columns = {
            "test loss": [r["test"]["loss"] for r in runs],
            "test accuracy": [r["test"]["accuracy"] for r in runs],
            "Shirt recall": [r["test"]["recall"]["Shirt"] for r in runs],
        }
        for (name, values), theirs in zip(columns.items(), notebook):
            digits = 3 if name == "Shirt recall" else 4
            label = f"`{arch}`, {len(runs)} seeds" if name == "test loss" else ""
            print(f"| {label} | {name} | {theirs:.{digits}f} | {values[0]:.{digits}f} | {spread(values, digits)} |")
    confusion_tables(packed)


def confusion_tables(packed):
    """Counts of the largest cells of the confusion matrices, ours as the mean over seeds."""
    for arch, text in MATRIX.items():
        theirs = [int(n) for n in text.split()]
        ours, names = packed.confusions(arch), packed.classes
        means = [statistics.mean(cell) for cell in zip(*ours)]
        print(f"\n| `{arch}`: true → predicted | notebook | mean of {len(ours)} seeds (range) |\n|---|--:|--:|")
        off = [i for i in range(100) if i // 10 != i % 10]
        shown = [i for i in range(100) if i // 10 == i % 10] + sorted(off, key=lambda i: -means[i])[:8]
        for i in shown:
            what = names[i // 10] if i // 10 == i % 10 else f"{names[i // 10]} → {names[i % 10]}"
            cell = [run[i] for run in ours]
            print(f"| {what} | {theirs[i]} | {means[i]:.0f} ({min(cell)} to {max(cell)}) |")


if __name__ == "__main__":
    main()
