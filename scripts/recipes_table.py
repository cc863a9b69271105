#!/usr/bin/env python3
"""Tables of the recipes' studies, from what scripts/recipes.sh left in results/recipes-cpu.

    scripts/recipes_table.py strong|lengths|ablation
"""

import csv
import pathlib
import statistics
import sys

from lib.packed import Packed

ROOT = pathlib.Path("results/recipes-cpu")
# The same networks and data at a constant rate.
NOTEBOOK = pathlib.Path("results/reference-cpu")
LENGTHS = [5, 10, 20]
LONGEST = 40


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def points(share, sign=""):
    """A share of images in percentage points."""
    return f"{100 * float(share):{sign}.2f}"


def compared(study, what):
    """Rows of a comparison that speak of test accuracy."""
    found = rows(ROOT / study / "compare.csv")
    return [row for row in found if row["what"] == what and row["measure"] == "accuracy"]


def strong():
    """Test accuracy of each network, beside the notebook's recipe."""
    before, now = {}, {}
    for found, path in (before, NOTEBOOK), (now, ROOT / "strong"):
        for row in rows(path / "runs.csv"):
            found.setdefault(row["arch"], []).append(row)
    print("| network | epochs | `notebook`, 50 epochs: mean ± sd | `strong`: mean ± sd (range) | 95 % interval of the mean |")
    print("|---|--:|--:|--:|--:|")
    for group in compared("strong", "group"):
        arch = next(arch for arch in now if arch in group["first"])
        then, own = ([float(row["test_acc"]) for row in found[arch]] for found in (before, now))
        assert len(own) == int(group["n"]), f"{arch}: {len(own)} runs, {group['n']} compared"
        print(f"| `{arch}`, {len(own)} seeds | {now[arch][0]['epochs']} | "
              f"{points(statistics.mean(then))} ± {points(statistics.stdev(then))} | "
              f"{points(group['mean'])} ± {points(group['sd'])} ({points(min(own))} to {points(max(own))}) | "
              f"{points(group['low'])} to {points(group['high'])} |")


def scored(folder, epochs):
    """What was scored at a length: by seed, the accuracy and all counts of the confusion matrix."""
    packed, found = Packed(ROOT / folder), {}
    counts, size = packed.counts("confusion"), len(packed.classes) ** 2
    for run in packed.runs:
        for each in run["scored"]:
            summary = each["summary"]
            if summary["epochs"] == epochs:
                row = each["row"]
                found[summary["seed"]] = summary["test"]["accuracy"], list(counts[size * row : size * (row + 1)])
    return found


def lengths():
    """Branches beside runs of their own."""
    print("| epochs | branch: mean ± sd | a run of its own: mean ± sd | seeds with the same confusion matrix | verdict, margin 0.2 points |")
    print("|--:|--:|--:|--:|---|")

    def spread(found):
        accuracy = [accuracy for accuracy, _ in found.values()]
        return f"{points(statistics.mean(accuracy))} ± {points(statistics.stdev(accuracy))}"

    for epochs in LENGTHS:
        branch, alone = scored("lengths", epochs), scored(f"lengths/alone-{epochs}", epochs)
        assert branch.keys() == alone.keys(), f"{epochs} epochs: other seeds"
        same = sum(branch[seed] == alone[seed] for seed in alone)
        (verdict,) = compared(f"lengths/alone-{epochs}", "verdict")
        print(f"| {epochs} | {spread(branch)} | {spread(alone)} | {same} of {len(alone)} | {verdict['answer']} |")
    print(f"| {LONGEST} | {spread(scored('lengths', LONGEST))} | the same run | | |")


def ablation():
    """The whole, and without each part."""
    found = compared("ablation", "group")
    against = {row["second"]: row for row in compared("ablation", "difference")}
    answers = {row["second"]: row["answer"] for row in compared("ablation", "verdict")}
    (whole,) = [row["first"] for row in found if row["first"] not in against]
    parts = whole.split(", ")
    print("| | mean ± sd | minus the whole | 95 % interval | p | verdict |")
    print("|---|--:|--:|--:|--:|---|")
    for group in sorted(found, key=lambda group: group["first"] != whole):
        name, spread = group["first"], f"{points(group['mean'])} ± {points(group['sd'])}"
        if name == whole:
            print(f"| `strong` | {spread} | | | | |")
            continue
        own, other = name.split(", "), against[name]
        gone = [part for part in parts if part not in own]
        now = [f", {part} instead" for part in own if part not in parts]
        answer = answers[name]
        if answer == "better" and float(other["mean"]) < 0:
            answer = "worse"
        p = "< 0.001" if float(other["p"]) < 0.001 else f"{float(other['p']):.3f}"
        print(f"| without {', '.join(gone)}{''.join(now)} | {spread} | {points(other['mean'], '+')} | "
              f"{points(other['low'], '+')} to {points(other['high'], '+')} | {p} | {answer} |")


def main():
    tables = {table.__name__: table for table in (strong, lengths, ablation)}
    if len(sys.argv) != 2 or sys.argv[1] not in tables:
        sys.exit(__doc__)
    tables[sys.argv[1]]()


if __name__ == "__main__":
    main()
