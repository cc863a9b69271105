"""What scripts/interop/networks.sh runs: `networks.py FOLDER [KERAS]` compares each FOLDER/*.safetensors, written by
crates/fm-models/examples/networks.rs, with the PyTorch module in it, and KERAS of them with the Keras model."""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import models
import numpy
import torch
from torch import nn

# Of the largest value of a tensor.
LIMIT = 1e-5
# A gradient that is 0 but for rounding, such as that of a bias before a batch norm, is measured by the largest
# gradients of the network.
FLOOR = 1e-3


class Worst:
    """The largest difference of each kind, and the network that it is of."""

    def __init__(self):
        self.rows, self.wrong = {}, []

    def values(self, kind, arch, ours, theirs, floor=0.0):
        ours, theirs = (numpy.asarray(x, numpy.float64) for x in (ours, theirs))
        if ours.shape != theirs.shape:
            self.wrong.append(f"{arch}: {kind} is {ours.shape} here and {theirs.shape} there")
            return
        apart = numpy.abs(ours - theirs).max(initial=0.0)
        largest = max(numpy.abs(theirs).max(initial=0.0), floor)
        share = apart / largest if largest > 0 else apart
        count, worst, of = self.rows.get(kind, (0, -1.0, ""))
        # Not "share > worst": a difference that is no number is the worst there is.
        worst, of = (worst, of) if share <= worst else (share, arch)
        self.rows[kind] = (count + 1, worst, of)
        if not share <= LIMIT:
            self.wrong.append(f"{arch}: {kind} differs by {share:.1e}")

    def equal(self, kind, arch, ours, theirs):
        count, worst, of = self.rows.get(kind, (0, 0.0, ""))
        self.rows[kind] = (count + 1, worst, of)
        if ours != theirs:
            self.wrong.append(f"{arch}: {kind} is {ours} here and {theirs} there")

    def report(self):
        print("| compared | times | largest difference | of |\n|---|--:|--:|---|")
        for kind, (count, share, arch) in self.rows.items():
            print(f"| {kind} | {count} | {share:.1e} | {arch} |")


def run(code):
    """The names that generated code defines."""
    names = {}
    exec(compile(code, "generated", "exec"), names)  # noqa: S102
    return names


def observed(net, images):
    """Every module's output shape, and multiply-adds for one image, counted from what passes through."""
    shapes, macs, hooks = {}, 0, []

    def hook(name):
        def look(module, inputs, output):
            nonlocal macs
            shapes[name] = list(output.shape[1:])
            if isinstance(module, nn.Conv2d | nn.Linear):
                macs += module.weight[0].numel() * output[0].numel()
            elif isinstance(module, nn.ConvTranspose2d):
                macs += module.weight[0].numel() * inputs[0][0].numel()

        return look

    for name, module in net.named_modules():
        hooks.append(module.register_forward_hook(hook(name)))
    with torch.no_grad():
        output = net(images)
    for handle in hooks:
        handle.remove()
    return output, shapes, macs


def loss(output, images):
    if output.ndim == 2:
        return nn.functional.cross_entropy(output, torch.arange(len(output)) % output.shape[1])
    return nn.functional.mse_loss(output, images[:, :, : output.shape[2], : output.shape[3]])


def check_pytorch(tensors, metadata, worst):
    arch = metadata["arch"]

    def of(prefix):
        cut = len(prefix) + 1
        found = {name[cut:]: value for name, value in tensors.items() if name.startswith(f"{prefix}.")}
        return {name: torch.from_numpy(value) for name, value in found.items()}

    net = run(metadata["pytorch"])["Net"]()
    weights = of("weights")
    names = [name for name in net.state_dict() if not name.endswith("num_batches_tracked")]
    worst.equal("tensor names", arch, sorted(weights), sorted(names))
    worst.equal("parameters", arch, int(metadata["parameters"]), sum(p.numel() for p in net.parameters()))
    net.load_state_dict(weights, strict=False)
    images = torch.from_numpy(tensors["images"])

    net.eval()
    output, shapes, macs = observed(net, images)
    worst.equal("multiply-adds", arch, int(metadata["macs"]), macs)
    for entry in metadata["shapes"].split():
        name, shape = entry.split("=")
        # Additions and scalings are no modules; later layers tell what they gave.
        if name in shapes:
            worst.equal("shapes", arch, [int(n) for n in shape.split("x")], shapes[name])
    worst.values("output in inference", arch, tensors["eval.output"], output)

    net.train()
    for name, mask in of("mask").items():
        module = net.get_submodule(name)
        rate = 1 / (1 - module.p)
        # Its own scale is that of the nearest multiple of 1/65536.
        near = (mask == 0) | ((mask - rate).abs() < 1e-3 * rate)
        worst.equal("dropout's scale", arch, True, bool(near.all()))
        module.forward = lambda x, mask=mask: x * mask
    output = net(images)
    worst.values("output in training", arch, tensors["train.output"], output.detach())
    loss(output, images).backward()
    gradients = dict(net.named_parameters())
    largest = max(float(p.grad.abs().max()) for p in gradients.values())
    for name, ours in of("grad").items():
        worst.values("gradients", arch, ours, gradients[name].grad, FLOOR * largest)
    after = net.state_dict()
    for name, ours in of("after").items():
        worst.values("running statistics after a step", arch, ours, after[name])
    worst.equal("gradients' names", arch, sorted(of("grad")), sorted(gradients))


def check_keras(tensors, metadata, worst):
    """In 64 bits, so that what differs is the network and not the rounding of long sums."""
    import keras

    keras.config.set_floatx("float64")
    arch = metadata["arch"]
    model = run(metadata["keras"])["model"]()
    weights = {name[8:]: value for name, value in tensors.items() if name.startswith("weights.")}
    models.load_keras(model, weights)
    count = sum(int(numpy.prod(w.shape)) for w in model.trainable_weights)
    worst.equal("Keras: parameters", arch, int(metadata["parameters"]), count)
    images = tensors["images"].transpose(0, 2, 3, 1).astype(numpy.float64)

    def output(training):
        values = numpy.asarray(model(images, training=training))
        return values.transpose(0, 3, 1, 2) if values.ndim == 4 else values

    worst.values("Keras: output in inference", arch, tensors["eval.output"], output(False))
    if not any(name.startswith("mask.") for name in tensors):
        worst.values("Keras: output in training", arch, tensors["train.output"], output(True))


def main():
    folder, in_keras = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    torch.manual_seed(0)
    worst, files = Worst(), sorted(folder.glob("*.safetensors"))
    for number, path in enumerate(files):
        tensors, metadata = models.read(path)
        check_pytorch(tensors, metadata, worst)
        if number < in_keras:
            check_keras(tensors, metadata, worst)
    worst.report()
    for line in worst.wrong:
        print(line, file=sys.stderr)
    if worst.wrong or not files:
        found = f"{len(worst.wrong)} differences in {len(files)} networks"
        sys.exit(f"interop: error: {found}, at most {LIMIT:.0e} of the largest value is allowed")


if __name__ == "__main__":
    main()
