#!/usr/bin/env python3
"""The table of results/records: each line, what was reached, and in how many seconds.

    scripts/records_table.py

A line counts when the lower end of the 95 % interval of the mean clears its accuracy and the mean of the seconds, and the
parameters, are within its limits.
"""

import csv
import pathlib
import statistics
import tomllib

from lib.packed import Packed

ROOT = pathlib.Path("results/records")


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def limits(line):
    parameters = f"≤ {line['parameters']:,} parameters, " if "parameters" in line else ""
    return f"{line['accuracy']:.1f} %, {parameters}≤ {line['seconds']:,} s"


def reached(name, line):
    """Cells of a row that was run."""
    (group,) = [row for row in rows(ROOT / name / "compare.csv") if (row["what"], row["measure"]) == ("group", "accuracy")]
    mean, sd, low, high = (100 * float(group[key]) for key in ("mean", "sd", "low", "high"))
    runs = Packed(ROOT / name).summaries()
    seconds = [float(row["seconds"]) for row in rows(ROOT / name / "seconds.csv")]
    assert len(runs) == len(seconds) == int(group["n"]), f"{name}: runs, seconds and comparison differ in number"
    trained = statistics.mean(run["train_seconds"] for run in runs)
    params = runs[0]["params"]
    holds = low >= line["accuracy"] and statistics.mean(seconds) <= line["seconds"]
    holds = holds and params <= line.get("parameters", params)
    return [f"`{runs[0]['arch']}`, {runs[0]['epochs']} epochs", f"{params:,}", f"{mean:.2f} ± {sd:.2f}", f"{low:.2f} to {high:.2f}",
            f"{trained:.1f}", f"{statistics.mean(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})",
            f"{len(runs)}", f"{line['tried']}", "**yes**" if holds else "no"]


def main():
    print("| line | limits | network | parameters | test accuracy, %: mean ± sd | 95 % interval of the mean | training, s "
          "| whole process, s | seeds | tried | reached |")
    print("|---|---|---|--:|--:|--:|--:|--:|--:|--:|---|")
    for name, line in tomllib.loads((ROOT / "lines.toml").read_text()).items():
        run = (ROOT / name / "compare.csv").exists()
        cells = reached(name, line) if run else ["", "", "", "", "", "", "", f"{line['tried']}", "not run"]
        print(f"| {name} | {limits(line)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
