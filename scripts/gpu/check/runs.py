"""Whole runs: both networks with the notebook's protocol for three seeds, beside the CPU's of results/reference-cpu."""

import csv
import pathlib
import statistics

from .context import Failed, Skipped

REFERENCE = pathlib.Path(__file__).resolve().parents[3] / "results/reference-cpu/runs.csv"
ARCHS, SEEDS = ("cnn", "encoder-mlp"), (0, 1, 2)
HEAD = ["engine", "network", "seed", "epochs", "test_accuracy", "test_loss", "train_seconds"]
# The difference of mean accuracies from the CPU's that three seeds allow: four of their standard errors, about 0.0025.
MOST = 0.01


def reference(arch):
    with open(REFERENCE, newline="") as file:
        return [float(row["test_acc"]) for row in csv.DictReader(file) if row["arch"] == arch]


def fifty(engine):
    def step(context):
        epochs, path = context.options.epochs, context.out / "runs.csv"
        found, apart = [], []
        for arch in ARCHS:
            accuracies, seconds = [], []
            for seed in SEEDS:
                flags = ["--arch", arch, "--protocol", "notebook", "--epochs", str(epochs), "--seed", str(seed), *context.data()]
                summary = context.train(f"{arch}-{seed}", *flags, engine=engine)
                test = summary["test"]
                accuracies.append(test["accuracy"])
                seconds.append(summary["train_seconds"])
                is_new = not path.exists()
                with open(path, "a", newline="") as file:
                    row = [engine, arch, seed, epochs, test["accuracy"], test["loss"], summary["train_seconds"]]
                    csv.writer(file).writerows([HEAD, row] if is_new else [row])
            mean = statistics.mean(accuracies)
            text = f"{arch} {statistics.median(seconds):.2f} s, accuracy {mean:.4f}"
            if context.whole and epochs == 50:
                there = statistics.mean(reference(arch))
                text += f" (CPU {there:.4f})"
                if abs(mean - there) > MOST:
                    apart.append(arch)
            found.append(text)
        if apart:
            raise Failed(f"accuracy is not the CPU's: {'; '.join(found)}")
        return "; ".join(found)

    return step


def steps(engines):
    """The fastest engine that there is; libtorch alone takes minutes."""
    for engine in engines:
        yield f"runs ({engine})", first(engine), 270 if engine == "eager" else 150


def first(engine):
    def step(context):
        if context.ran:
            raise Skipped(f"{context.ran} has trained them; --only 'runs ({engine})' does it with {engine}")
        context.require(engine)
        found = fifty(engine)(context)
        context.ran = engine
        return found

    return step
