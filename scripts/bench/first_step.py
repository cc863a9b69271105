#!/usr/bin/env python3
"""Time to the first step of training, and peak memory, of networks.

    scripts/bench/first_step.py [--rounds 3] [--batch 32] [--seconds 10] [--out FILE.csv] [NETWORK…]

Starts `fm-exp train` and waits until the run's step counter says 1: processes, libraries, data from gzip, packing of
weights and the step are in that time. The run goes on for some seconds, so that everything that a step needs has been
touched, and its peak resident memory is read from the kernel before it is killed. FM_EXP names another binary than the
release build. Nothing else should run meanwhile.
"""

import argparse
import csv
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

PROGRAM = os.environ.get("FM_EXP", "target/release/fm-exp")
NETWORKS = [
    "cnn",
    "encoder-mlp",
    "10C3.same.bn-3x10R3-3x20R3.s2-3x40R3.s2-GAP",
    "24C3.same.bn-MP2-2x32R3-MP2-2x48R3-GAP",
    "32C5.same-MP2-64C5.same-MP2",
    "16C3.same.bn-MP2-48DS3-MP2-96DS3-128DS3-MP2-160DS3-GAP",
    "16C3.same.bn-3x16R3-3x32R3.s2-3x64R3.s2-GAP",
]


def peak(pid):
    """The largest resident size so far, in MiB."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[1]) / 1024


def sample(network, options):
    """Seconds to the first step, and MiB."""
    with tempfile.TemporaryDirectory() as out:
        command = [PROGRAM, "train", "--device", "cpu", "--engine", "fused", "--arch", network, "--batch-size", str(options.batch),
                   "--out", out, "--name", "run", "--quiet"]
        start = time.perf_counter()
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        progress = pathlib.Path(out, "run", ".progress")
        try:
            while not (progress.exists() and int((progress.read_text().split() or [0, 0])[-1]) >= 1):
                if run.poll() is not None:
                    sys.exit(f"first_step: error: {' '.join(command)} ended with {run.returncode}")
                time.sleep(0.001)
            first = time.perf_counter() - start
            time.sleep(options.seconds)
            return first, peak(run.pid)
        finally:
            run.kill()
            run.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10, help="how long a run goes on behind its first step")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    networks = options.networks or NETWORKS
    samples = {network: [] for network in networks}
    for _ in range(options.rounds):
        for network in networks:
            samples[network].append(sample(network, options))
    if options.out:
        with open(options.out, "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["arch", "batch", "round", "first_step_seconds", "peak_mib"])
            for network, found in samples.items():
                rows.writerows([network, options.batch, i + 1, f"{s:.4f}", f"{m:.1f}"] for i, (s, m) in enumerate(found))
    print("| network | first step, s: median (range) | peak memory, MiB |")
    print("|---|--:|--:|")
    for network, found in samples.items():
        seconds, mib = zip(*found)
        print(f"| `{network}` | {statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f}) | {max(mib):.0f} |")


if __name__ == "__main__":
    main()
