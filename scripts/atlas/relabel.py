#!/usr/bin/env python3
"""Copies a data set in IDX files and changes some training labels on purpose, each to the class with which its own is
confused most, to see whether an atlas finds them.

    scripts/atlas/relabel.py DATA CONFUSION.csv OUT [--count 600] [--seed 0]

DATA holds train-images-idx3-ubyte and its three companions, gzipped or not. CONFUSION.csv is of a run on the right
labels; per class, the most frequent other prediction is what its labels are changed to. OUT gets the four files and
changed.csv: index, label, changed_to. Needs nothing but Python.
"""

import argparse
import csv
import gzip
import random
from pathlib import Path

NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def read(directory, name):
    plain, packed = directory / name, directory / f"{name}.gz"
    return plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())


def confusable(path):
    """Of each class the one that it is taken for most often."""
    with open(path, newline="") as file:
        rows = [[int(cell) for cell in row[1:]] for row in list(csv.reader(file))[1:]]
    others = [[(count, -other) for other, count in enumerate(row) if other != own] for own, row in enumerate(rows)]
    return [-max(row)[1] for row in others]


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("data", type=Path)
    flags.add_argument("confusion", type=Path)
    flags.add_argument("out", type=Path)
    flags.add_argument("--count", type=int, default=600)
    flags.add_argument("--seed", type=int, default=0)
    args = flags.parse_args()

    files = {name: read(args.data, name) for name in NAMES}
    labels = bytearray(files[NAMES[1]])
    head = 8  # two big-endian words: what it is, and how many
    other = confusable(args.confusion)
    chosen = sorted(random.Random(args.seed).sample(range(len(labels) - head), args.count))
    rows = [(index, labels[head + index], other[labels[head + index]]) for index in chosen]
    for index, _, to in rows:
        labels[head + index] = to
    files[NAMES[1]] = bytes(labels)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (args.out / name).write_bytes(content)
    with open(args.out / "changed.csv", "w", newline="") as file:
        csv.writer(file).writerows([("index", "label", "changed_to"), *rows])
    print(f"{len(rows)} labels changed in {args.out}; classes become {other}")


if __name__ == "__main__":
    main()
