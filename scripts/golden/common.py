"""What both frameworks start from: images, labels and initial weights, written to {arch}.common.safetensors.

    python common.py
"""

import json
import pathlib

import numpy as np
from safetensors.numpy import load_file, save_file

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "crates/fm-models/tests/golden"
ARCHS = ("cnn", "encoder-mlp")
BATCHES, BATCH, STEPS, CLASSES = 4, 8, 20, 10
# Chosen by conditioning.py: the first seeds for which rounding does not grow during the 20 steps.
SEEDS = {"cnn": 3, "encoder-mlp": 48}

# Canonical name -> weight's shape in PyTorch's layout: [out, in, y, x] and [out, in]. The first dense
# layer's inputs are in PyTorch's flatten order: channel, y, x.
_BLOCKS = {"encoder.conv1": (32, 1, 3, 3), "encoder.conv2": (64, 32, 3, 3)}
LAYERS = {
    "cnn": _BLOCKS | {"encoder.conv3": (64, 64, 3, 3), "head.dense1": (128, 64), "head.dense2": (10, 128)},
    "encoder-mlp": _BLOCKS | {"head.dense1": (64, 1600), "head.dense2": (32, 64), "head.dense3": (10, 32)},
}


def param_names(arch):
    return [f"{layer}.{kind}" for layer in LAYERS[arch] for kind in ("weight", "bias")]


def draw_images(rng):
    """Three smooth blobs on a slope plus noise. The noise is strong and nothing is clipped: on flat ground
    a pool's maxima would tie, and where a tie's gradient goes is a matter of taste."""
    y, x = np.mgrid[0:28, 0:28] / 27.0
    images = np.empty((BATCHES * BATCH, 28, 28), np.uint8)
    for image in images:
        slope = rng.uniform(-1, 1, 2)
        smooth = 0.3 * (slope[0] * x + slope[1] * y)
        for _ in range(3):
            (cy, cx), (sy, sx) = rng.uniform(0.1, 0.9, 2), rng.uniform(0.08, 0.35, 2)
            smooth += rng.uniform(0.4, 1.0) * np.exp(-(((y - cy) / sy) ** 2) - ((x - cx) / sx) ** 2)
        smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
        image[:] = np.rint(62 + 131 * smooth + rng.uniform(-60, 60, smooth.shape))
    return images


def draw_init(arch, rng):
    """Glorot uniform weights; small biases that are not zero, so that a forgotten bias shows."""
    init = {}
    for layer, shape in LAYERS[arch].items():
        receptive = int(np.prod(shape[2:]))
        limit = np.sqrt(6.0 / ((shape[0] + shape[1]) * receptive))
        init[f"{layer}.weight"] = rng.uniform(-limit, limit, shape).astype(np.float32)
        init[f"{layer}.bias"] = rng.uniform(-0.05, 0.05, shape[0]).astype(np.float32)
    return init


def path(arch, kind):
    return FOLDER / f"{arch}.{kind}.safetensors"


def save(arch, kind, tensors, framework):
    script = "composition.py" if arch not in ARCHS else SCRIPTS[kind]
    metadata = {"arch": arch, "framework": framework, "script": f"scripts/golden/{script}"}
    tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    file = path(arch, kind)
    save_file(tensors, file, metadata)
    # The header's keys come in any order; sorted, the same numbers make the same file.
    content = file.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header = {"__metadata__": dict(sorted(header.pop("__metadata__").items()))} | dict(sorted(header.items()))
    header = json.dumps(header, separators=(",", ":")).encode().ljust(size)
    assert len(header) == size
    file.write_bytes(content[:8] + header + content[8 + size :])
    file.chmod(0o644)
    print(f"{file.name}: {len(content):,} bytes")


SCRIPTS = {"common": "common.py", "pytorch": "pytorch.py", "keras": "keras_golden.py"}


def load(arch, kind):
    return load_file(path(arch, kind))


def draw(arch, seed):
    """Images, labels and the initial weights by name, in canonical order."""
    rng = np.random.default_rng(seed)
    images = draw_images(rng)
    labels = rng.permutation(np.arange(BATCHES * BATCH) % CLASSES).astype(np.int64)
    return images, labels, draw_init(arch, rng)


def load_common(arch):
    """The same from the file."""
    tensors = load(arch, "common")
    return tensors["images"], tensors["labels"], {name: tensors[f"init.{name}"] for name in param_names(arch)}


def batch(step):
    """The samples of a step: the batches in turn, over and over."""
    start = step % BATCHES * BATCH
    return slice(start, start + BATCH)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for arch in ARCHS:
        images, labels, init = draw(arch, SEEDS[arch])
        tensors = {"images": images, "labels": labels} | {f"init.{name}": value for name, value in init.items()}
        save(arch, "common", tensors, f"numpy {np.__version__}")


if __name__ == "__main__":
    main()
