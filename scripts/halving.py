#!/usr/bin/env python3
"""How good successive halving's choice is, and what it costs: against a grid that was also run whole.

    scripts/halving.py GRID.toml OUT [--seeds 0..5] [--each 2] [--repeat 20] [--jobs 2] [-- FLAGS OF HALVE]

Runs the whole grid with all seeds (what is done is not done again), then repeats `fm-exp sweep halve` on it with
`--each` of the seeds at a time. Nothing is trained for that: halving decides from the tables of the runs, up to each
rung. Every choice is held against the configuration with the best mean validation accuracy over all seeds, and its
cost against the full grid with the same seeds; beside it stands what the full grid with these seeds would choose,
for no search can do better than its seeds. FM_EXP names the program (default: target/release/fm-exp).
"""

import argparse
import csv
import itertools
import json
import os
import pathlib
import random
import subprocess
import sys

PROGRAM = os.environ.get("FM_EXP", "target/release/fm-exp")
# Accuracies this close are called equivalent.
EQUIVALENT = 0.002


def fm_exp(*arguments, allowed=(0,)):
    done = subprocess.run([PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    if done.returncode not in allowed:
        sys.exit(f"halving: error: {PROGRAM} {' '.join(map(str, arguments))} ended with {done.returncode}")
    return done.stdout


def plan(grid, seeds, path):
    path.write_text(fm_exp("-q", "sweep", "plan", grid, "--seeds", seeds))
    return json.loads(path.read_text())["runs"]


def configuration(run):
    """What a run is but for its seed."""
    return json.dumps({key: value for key, value in run["flags"].items() if key != "seed"}, sort_keys=True)


def final_accuracy(directory, weights):
    """Validation accuracy after the last epoch, of the weights that the run leaves; none if it did not finish."""
    if not (directory / "DONE").exists():
        return None
    with open(directory / "epochs.csv", newline="") as file:
        last = list(csv.DictReader(file))[-1]
    kind = weights.partition(":")[0]
    return float(last["val_acc" if kind == "last" else f"{kind}_val_acc"])


def truth(runs, results):
    """Mean accuracy over all seeds, of configurations of which every run finished."""
    found = {}
    for run in runs:
        weights = run["flags"].get("weights", "last")
        found.setdefault(configuration(run), []).append(final_accuracy(results / run["name"], weights))
    return {key: sum(all_) / len(all_) for key, all_ in found.items() if None not in all_}


def numbers(text):
    ends = [part.split("..") for part in text.split(",")]
    return [seed for part in ends for seed in range(int(part[0]), int(part[-1]) + 1)]


def main():
    own, _, halve = "\0".join(sys.argv[1:]).partition("\0--\0")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grid", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seeds", default="0..5")
    parser.add_argument("--each", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--jobs", default="2")
    args = parser.parse_args(own.split("\0"))
    halve = halve.split("\0") if halve else []

    args.out.mkdir(parents=True, exist_ok=True)
    results = args.out / "runs"
    runs = plan(args.grid, args.seeds, args.out / "plan.json")
    # 9: some diverged, which a grid may hold.
    fm_exp("sweep", "run", "--plan", args.out / "plan.json", "--out", results, "--jobs", args.jobs, allowed=(0, 9))
    means = truth(runs, results)
    best = max(means.values())

    def whole(seeds):
        """What the whole grid would choose with some of the seeds."""
        some = truth([run for run in runs if run["flags"].get("seed", 0) in seeds], results)
        return means.get(max(some, key=some.get), 0.0)

    by_name = {run["name"]: configuration(run) for run in runs}

    draws = list(itertools.combinations(numbers(args.seeds), args.each))
    random.Random(0).shuffle(draws)
    print(f"{len(set(by_name.values()))} configurations, {len(means)} finished with every seed, best {best:.4f}\n")
    print("| seeds | chosen, mean of all seeds | below the best | the whole grid's choice | share of the cost |")
    print("|---|--:|--:|--:|--:|")
    below, lost, shares = [], [], []
    for drawn in draws[: args.repeat]:
        seeds = ",".join(map(str, drawn))
        path = args.out / "plan-some.json"
        plan(args.grid, seeds, path)
        said = json.loads(fm_exp("-q", "sweep", "halve", "--plan", path, "--out", results, "--json", *halve))
        # One that did not finish with every seed is as bad as can be.
        mean = means.get(by_name[said["chosen"]["runs"][0]], 0.0)
        below.append(best - mean)
        shares.append(said["cost"]["share"])
        lost.append(whole(drawn) - mean)
        others = best - whole(drawn)
        print(f"| {seeds} | {mean:.4f} | {best - mean:.4f} | {others:.4f} | {shares[-1]:.3f} |", flush=True)

    def near(differences):
        return f"{sum(difference <= EQUIVALENT for difference in differences)} of {len(differences)}"

    print(f"\nWithin {100 * EQUIVALENT:.1f} points of the best: {near(below)}; of the whole grid's choice with the same "
          f"seeds: {near(lost)}. Share of the cost: mean {sum(shares) / len(shares):.3f}, largest {max(shares):.3f}.")


if __name__ == "__main__":
    main()
