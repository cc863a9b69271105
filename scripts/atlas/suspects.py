#!/usr/bin/env python3
"""How well an atlas finds labels that were changed on purpose.

    scripts/atlas/suspects.py CHANGED.csv ATLAS [RIGHT]

CHANGED.csv is what relabel.py has left, ATLAS the directory of the atlas made on the changed labels, RIGHT that of an
atlas made on the right ones. Prints precision (share of changed labels) among the most suspicious training images: among
1 % of all suspects, which are the images that some run doubts; among fewer and more, up to as many as labels were changed.
All this counts every label that is doubtful in the original as a mistake; with RIGHT also of those alone that are not among
the most suspicious there. Needs nothing but Python.
"""

import csv
import sys
from pathlib import Path


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def ranked(atlas):
    """Training images that some run doubts, the most suspicious first."""
    doubted = [row for row in rows(Path(atlas) / "images.csv") if row["set"] == "train" and row["suspicion"]]
    doubted.sort(key=lambda row: -float(row["suspicion"]))
    return [int(row["index"]) for row in doubted]


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    changed = {int(row["index"]) for row in rows(sys.argv[1])}
    order = ranked(sys.argv[2])
    most = len(changed)

    def say(what, order, first=most):
        found = sum(index in changed for index in order[:first])
        print(f"{what}: {found} of the first {first} were changed, precision {found / first:.3f}")

    say(f"1 % of the {len(order)} suspects", order, len(order) // 100)
    for share in (12, 6, 3, 2):
        say("all images", order, most // share)
    say("all images", order)
    if len(sys.argv) == 4:
        right = ranked(sys.argv[3])
        for times in (1, 2, 4):
            aside = set(right[: times * most])
            left = [index for index in order if index not in aside]
            say(f"without the {len(aside)} most suspicious by the right labels", left)


if __name__ == "__main__":
    main()
