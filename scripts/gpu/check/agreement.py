"""Whether an engine computes what the CPU's kernels compute.

Weights after many steps of Adam do not answer that: where a pool's maximum or a ReLU's sign is a tie but for rounding,
two right engines take different sides, and Adam scales the difference up. What answers it is a single step from equal
weights, at several points of a trajectory, with batches of several sizes; where one has a tie, other images do not.
After one step a checkpoint holds the gradient, as Adam's first moment divided by 1 - beta1; and the update has to be
Adam's, from the moments that stand there. A whole epoch's mean loss is compared too.
"""

import csv
import math

import idx

from . import tensors
from .context import Failed

LR, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-7
# A gradient's difference as a share of its tensor's largest value. 32-bit sums in another order give up to 1e-6.
GRADIENT = 1e-5
# The most where a tie is possible: then other images are tried, so many times in all. An error would stay.
TIE, TRIES = 5e-3, 4
# An update against Adam's formula, in learning rates, beyond the weight's own rounding.
UPDATE = 1e-5
# Mean loss of an epoch, as a share: right engines drift apart, and their means stay together.
EPOCH_LOSS = 0.02
ARCHS = ("cnn", "encoder-mlp")
# Images of the batch, and the epochs after which the encoder was taken, none for initial weights.
POINTS = [(32, 0), (32, 1), (32, 3), (7, 3), (65, 1)]
CPU = {"device": "cpu", "engine": "fused"}


def checkpoint(context, name, number=1):
    return tensors.read(context.directory(name) / "checkpoint" / f"{number}.safetensors")


def batches(context, size, skipped):
    """Rows of the training file, one batch after the other, each with an image of the last class: it makes the head."""
    _, labels = idx.read(context.data_dir, idx.PARTS["train"][1])
    last, start = max(labels), 1000 * skipped
    while True:
        if last in labels[start : start + size]:
            yield range(start, start + size)
        start += size


class Point:
    """Weights and a batch: what one step from there gives on the CPU."""

    def __init__(self, context, arch, rows, encoder, seed):
        data = ["--dataset", str(context.subset(rows)), "--protocol", "notebook", "--batch-size", str(len(rows))]
        self.flags = ["--arch", arch, "--seed", str(seed), *data, *(["--pretrain", str(encoder)] if encoder else [])]
        context.train("before", *self.flags, "--epochs", "0", "--overwrite", **CPU)
        self.before = tensors.read(context.directory("before") / "model.safetensors")
        self.gradient, self.update = self.step(context, **CPU)

    def step(self, context, **where):
        """The gradient of a step, and how far its update is from Adam's."""
        context.train("step", *self.flags, "--epochs", "1", "--overwrite", **where)
        after = checkpoint(context, "step")
        m, v, weights = (tensors.group(after, part) for part in ("m", "v", "weights"))
        gradient = {key: [x / (1 - BETA1) for x in values] for key, values in m.items()}
        return gradient, off_adam(self.before, weights, m, v, 1)


def encoders(context, arch):
    """Epochs -> the model that so many epochs on 6,000 images leave, kept over the steps; none for no epochs."""
    found = {0: None}
    for epochs in sorted({epochs for _, epochs in POINTS} - {0}):
        path = found[epochs] = context.scratch / f"{arch}-{epochs}.safetensors"
        if not path.exists():
            data = ["--dataset", str(context.subset(range(6000))), "--protocol", "notebook"]
            context.train(path.stem, "--arch", arch, "--epochs", str(epochs), *data, **CPU)
            (context.directory(path.stem) / "model.safetensors").rename(path)
    return found


def off_adam(before, after, m, v, step):
    """The largest distance of an update from Adam's in Keras' form, in learning rates, minus the weights' rounding."""
    rate = LR * math.sqrt(1 - BETA2**step) / (1 - BETA1**step)
    worst = 0.0
    for key, old in before.items():
        for w0, w1, mean, square in zip(old, after[key], m[key], v[key], strict=True):
            expected = w0 - rate * mean / (math.sqrt(square) + EPS)
            error = abs(w1 - expected) - 2**-23 * abs(w0)
            if not error <= worst:
                worst = error
    return worst / LR


def later_steps(context, arch, engine):
    """The third of three steps against Adam's formula, from the checkpoints around it."""
    data = ["--dataset", str(context.subset(range(0, 32))), "--protocol", "notebook"]
    context.train(f"three-{arch}", "--arch", arch, "--epochs", "3", *data, engine=engine)
    second, third = (checkpoint(context, f"three-{arch}", number) for number in (2, 3))
    weights = [tensors.group(part, "weights") for part in (second, third)]
    return off_adam(*weights, tensors.group(third, "m"), tensors.group(third, "v"), 3)


def gradients(engine):
    def step(context):
        context.require(engine)
        rows, points, worst, updates = [], 0, 0.0, []
        for arch in ARCHS:
            given = encoders(context, arch)
            for seed, (size, epochs) in enumerate(POINTS):
                points += 1
                for batch, _ in zip(batches(context, size, seed), range(TRIES)):
                    key = arch, seed, batch
                    if key not in context.points:
                        context.points[key] = Point(context, arch, batch, given[epochs], seed)
                    point = context.points[key]
                    found, update = point.step(context, engine=engine)
                    share, where = tensors.apart(found, point.gradient)
                    rows.append([engine, arch, size, batch.start, epochs, f"{share:.2e}", where, f"{update:.1e}"])
                    updates.append(update)
                    if share <= GRADIENT or not share <= TIE:
                        break
                worst = max(worst, share)
            updates.append(later_steps(context, arch, engine))
            rows.append([engine, arch, 32, 0, "third step", "", "", f"{updates[-1]:.1e}"])
            save(context, rows)
            rows.clear()
        ties = len(updates) - len(ARCHS) - points
        text = f"gradients within {worst:.1e} of the largest at {points} points"
        text += f" ({ties} batches left out for ties)" if ties else ""
        text += f", updates within {max(updates):.1e} of Adam's"
        if not worst <= GRADIENT or not max(updates) <= UPDATE:
            raise Failed(text)
        return text

    return step


def save(context, rows):
    path = context.out / "agreement.csv"
    is_new = not path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(["engine", "network", "images", "first_row", "encoder_epochs", "gradient_off", "tensor", "update_off_adam"])
        writer.writerows(rows)


def epoch_losses(engine):
    def step(context):
        context.require(engine)
        found = []
        for arch in ARCHS:
            losses = []
            for name, where in (("there", CPU), ("here", {"engine": engine})):
                flags = ["--arch", arch, "--epochs", "1", "--protocol", "notebook", *context.data()]
                context.train(f"{name}-{arch}", *flags, **where)
                with open(context.directory(f"{name}-{arch}") / "epochs.csv", newline="") as file:
                    losses.append(float(list(csv.DictReader(file))[-1]["train_loss"]))
            there, here = losses
            found.append(f"{arch} {here:.4f} (CPU {there:.4f})")
            if not abs(here / there - 1) <= EPOCH_LOSS:
                raise Failed(f"mean loss of an epoch: {found[-1]}")
        return f"mean loss of an epoch: {', '.join(found)}"

    return step


def steps(engines):
    for engine in engines:
        yield f"agreement: gradients ({engine})", gradients(engine), 90
        yield f"agreement: epoch ({engine})", epoch_losses(engine), 60
