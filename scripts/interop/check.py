"""What scripts/interop/check.sh runs."""

import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import models
import numpy
import torch
from safetensors.torch import save_file

# Of the largest logit: networks that were trained for long have logits of a hundred, whose last bits alone
# are 1e-5.
LIMIT = 1e-5


def evaluate(model, out):
    """Ours: the summary and the logits of the test set."""
    command = [os.environ["FM_EXP"], "eval", str(model), "--device", "cpu", "--logits", "--quiet", "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads((out / "summary.json").read_text()), numpy.load(out / "logits.npy")


def test_images():
    """The test images as fm-exp found them, [n, height, width] from 0 to 1."""
    found = subprocess.run([os.environ["FM_EXP"], "doctor"], capture_output=True, text=True, check=False).stdout
    folder = next(line.rsplit(" in ", 1)[1].strip() for line in found.splitlines() if line.startswith("data "))
    plain = pathlib.Path(folder) / "t10k-images-idx3-ubyte"
    data = plain.read_bytes() if plain.exists() else gzip.decompress(plain.with_name(plain.name + ".gz").read_bytes())
    n, height, width = (int.from_bytes(data[i : i + 4], "big") for i in (4, 8, 12))
    return numpy.frombuffer(data, numpy.uint8, offset=16).reshape(n, height, width).astype(numpy.float32) / 255


def compare(ours, theirs):
    """Largest difference of a logit, absolute and as a share of the largest logit."""
    difference = float(numpy.abs(ours - theirs).max())
    return difference, difference / max(1.0, float(numpy.abs(theirs).max()))


def in_pytorch(network, images):
    with torch.no_grad():
        return torch.cat([network(batch) for batch in torch.from_numpy(images[:, None]).split(500)]).numpy()


def main():
    images, worst = test_images(), 0.0
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for number, run in enumerate(map(pathlib.Path, sys.argv[1:])):
            path = run / "model.safetensors" if run.is_dir() else run
            summary, ours = evaluate(path, folder / f"ours-{number}")
            theirs = {
                "in PyTorch": in_pytorch(models.pytorch_model(path), images),
                "in Keras": models.keras_model(path, *images.shape[1:]).predict(images[..., None], verbose=0),
            }
            for place, logits in theirs.items():
                rows.append((summary["arch"], place, *compare(ours, logits)))
            # The other way: new weights, PyTorch's own names and no metadata.
            torch.manual_seed(number)
            network = models.pytorch_module(models.read(path)[0])
            written = folder / f"pytorch-{number}.safetensors"
            save_file(network.state_dict(), written)
            _, ours = evaluate(written, folder / f"back-{number}")
            rows.append((summary["arch"], "from PyTorch", *compare(ours, in_pytorch(network, images))))
    print("| model | | largest difference of a logit | of the largest logit |\n|---|---|--:|--:|")
    for arch, place, difference, share in rows:
        print(f"| {arch} | {place} | {difference:.1e} | {share:.1e} |")
        worst = max(worst, share)
    # Not "worst > LIMIT": a difference that is no number fails too.
    if not worst <= LIMIT:
        sys.exit(f"interop: error: a logit differs by {worst:.1e} of the largest, at most {LIMIT:.0e} is allowed")


if __name__ == "__main__":
    main()
