#!/usr/bin/env python3
"""Prints the tables of speed, memory and time to the first step of docs/engines.md from the published benchmarks.

    scripts/bench_table.py peers        the fused engine against the fastest PyTorch, by network, batch and processor
    scripts/bench_table.py first-step   from the start of the process to the first step, and peak resident memory

Needs Python 3.10 or newer and no package.
"""

import csv
import pathlib
import statistics
import sys

RESULTS = pathlib.Path(__file__).resolve().parent.parent / "results"
# Processors, and what the folders of their benchmarks start with: a batch's size follows.
PROCESSORS = [("Zen 4, AVX-512", "bench-2026-11-27-amd-epyc-batch-"), ("Zen 3, AVX2", "bench-2026-11-28-amd-epyc-avx2-batch-")]
BATCHES = [32, 128]
FIRST_STEP = "bench-2026-11-28-amd-epyc-avx2-batch-{}/first_step.csv"
OURS = "fm-exp, fused engine"
SHORT = {"PyTorch eager, fused Adam": "eager", "PyTorch eager, channels last": "channels last", "PyTorch torch.compile": "compiled"}


def rows(path):
    with open(RESULTS / path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def grouped(table, key, value):
    """Lists of a column's numbers by key, in the file's order."""
    found = {}
    for row in table:
        found.setdefault(key(row), []).append(float(row[value]))
    return found


def spread(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def peers():
    """Seconds of training per epoch, median (range), and how often ours go into the fastest PyTorch's."""
    head = " | ".join(f"{name}: ours | PyTorch | times" for name, _ in PROCESSORS)
    print(f"| network | batch | {head} |")
    print("|---|--:|" + "--:|" * 3 * len(PROCESSORS))
    found = {}
    for name, folder in PROCESSORS:
        for batch in BATCHES:
            table = rows(f"{folder}{batch}/peers.csv")
            found[name, batch] = grouped(table, lambda row: (row["arch"], row["peer"]), "seconds_per_epoch")
    for arch in dict.fromkeys(arch for arch, _ in found[PROCESSORS[0][0], BATCHES[0]]):
        for batch in BATCHES:
            cells = [f"`{arch}`" if batch == BATCHES[0] else "", str(batch)]
            for name, _ in PROCESSORS:
                times = {peer: values for (which, peer), values in found[name, batch].items() if which == arch}
                ours = times.pop(OURS)
                fastest = min(times, key=lambda peer: statistics.median(times[peer]))
                ratio = statistics.median(times[fastest]) / statistics.median(ours)
                cells += [spread(ours, 1), f"{spread(times[fastest], 1)}, {SHORT[fastest]}", f"{ratio:.1f}"]
            print(f"| {' | '.join(cells)} |")


def first_step():
    """Medians of seconds, and the largest of the memory's peaks."""
    print("| network |" + "".join(f" batch {batch}: first step, s | peak, MiB |" for batch in BATCHES))
    print("|---|" + "--:|--:|" * len(BATCHES))
    tables = [rows(FIRST_STEP.format(batch)) for batch in BATCHES]
    seconds = [grouped(table, lambda row: row["arch"], "first_step_seconds") for table in tables]
    memory = [grouped(table, lambda row: row["arch"], "peak_mib") for table in tables]
    for arch in seconds[0]:
        cells = [f"{spread(s[arch], 2)} | {max(m[arch]):.0f}" for s, m in zip(seconds, memory)]
        print(f"| `{arch}` | {' | '.join(cells)} |")


if __name__ == "__main__":
    tables = {"peers": peers, "first-step": first_step}
    if len(sys.argv) != 2 or sys.argv[1] not in tables:
        sys.exit(__doc__)
    tables[sys.argv[1]]()
