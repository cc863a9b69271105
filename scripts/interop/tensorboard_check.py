#!/usr/bin/env python3
"""Reads event files of runs with TensorBoard's own reader and compares every scalar with the run's epochs.csv and
summary.json: the same tags, epochs and values (to 32-bit floats). Fails at the first difference.

    python scripts/interop/tensorboard_check.py RUN…      needs tensorboard
"""

import csv
import json
import math
import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

COLUMNS = {
    "train_loss": "loss/train",
    "val_loss": "loss/val",
    "ema_val_loss": "loss/val_ema",
    "mean_val_loss": "loss/val_mean",
    "train_acc": "accuracy/train",
    "val_acc": "accuracy/val",
    "ema_val_acc": "accuracy/val_ema",
    "mean_val_acc": "accuracy/val_mean",
    "lr": "learning_rate",
    "images_per_second": "images_per_second",
}


def expected(run):
    """Tag -> epoch -> value, from the run's tables."""
    scalars = {}
    for row in csv.DictReader((run / "epochs.csv").open(newline="")):
        before = f"{row['phase']}/" if row["phase"].startswith("pretrain") else ""
        for column, tag in COLUMNS.items():
            if row.get(column):
                scalars.setdefault(before + tag, {})[int(row["epoch"])] = float(row[column])
    summary = json.loads((run / "summary.json").read_text())
    for key, tag in (("loss", "loss/test"), ("accuracy", "accuracy/test")):
        scalars[tag] = {summary["scored_epoch"]: summary["test"][key]}
    return scalars


def main():
    for run in map(pathlib.Path, sys.argv[1:]):
        events = EventAccumulator(str(run / "tensorboard"))
        events.Reload()
        wanted, tags = expected(run), events.Tags()["scalars"]
        if set(tags) != set(wanted):
            sys.exit(f"{run}: tags {sorted(tags)}, expected {sorted(wanted)}")
        count = 0
        for tag in tags:
            found = {event.step: event.value for event in events.Scalars(tag)}
            if len(found) != len(events.Scalars(tag)) or set(found) != set(wanted[tag]):
                steps = [event.step for event in events.Scalars(tag)]
                sys.exit(f"{run}: {tag} has steps {steps}, expected {sorted(wanted[tag])}")
            for step, value in found.items():
                count += 1
                # The table has six decimals, images per second one.
                if not math.isclose(value, wanted[tag][step], rel_tol=1e-4, abs_tol=1e-6):
                    sys.exit(f"{run}: {tag} at {step} is {value}, expected {wanted[tag][step]}")
        files = len(list((run / "tensorboard").iterdir()))
        print(f"{run.name}: {count} scalars of {len(tags)} tags in {files} event files agree with its tables")


if __name__ == "__main__":
    main()
