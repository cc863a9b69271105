"""Shows that exported ONNX models compute what the program does: each run's model in ONNX Runtime on all images of its
test set, against the logits of `fm-exp eval`. Fails when a class differs, or a logit by more than 1e-4.

    python scripts/interop/onnx_check.py RUN…      needs onnx, onnxruntime and numpy
    FM_EXP=PATH                                    the binary [default: target/release/fm-exp]

Both kinds of input are tried: numbers from 0 to 1, and bytes. onnx.checker looks at each file as well.
"""

import gzip
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime

FM_EXP = os.environ.get("FM_EXP", "target/release/fm-exp")
LIMIT = 1e-4


def fm_exp(*args):
    command = [FM_EXP, *map(str, args)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_images(run):
    """The images that `eval` scores, [n, channels, height, width] of bytes."""
    text = subprocess.run([FM_EXP, "doctor"], capture_output=True, text=True, check=False).stdout
    folder = next(line.rsplit(" in ", 1)[1].strip() for line in text.splitlines() if line.startswith("data "))
    config = (run / "config.toml").read_text()
    for line in config.splitlines():
        if line.startswith("dataset") and "fashion-mnist" not in line:
            folder = line.split("=", 1)[1].strip().strip('"')
    for rank in (3, 4):
        for suffix in ("", ".gz"):
            path = pathlib.Path(folder) / f"t10k-images-idx{rank}-ubyte{suffix}"
            if path.exists():
                data = gzip.decompress(path.read_bytes()) if suffix else path.read_bytes()
                shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
                pixels = numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * rank)
                return pixels.reshape(shape if rank == 4 else [shape[0], 1, *shape[1:]])
    raise SystemExit(f"onnx-check: no test images in {folder}")


def main():
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for run in map(pathlib.Path, sys.argv[1:]):
            scored = folder / run.name
            fm_exp("eval", run, "--device", "cpu", "--logits", "--quiet", "--out", scored)
            ours = numpy.load(scored / "logits.npy")
            images = test_images(run)
            for flags in ([], ["--bytes"]):
                path = folder / "model.onnx"
                fm_exp("export", run, "--onnx", path, *flags)
                onnx.checker.check_model(onnx.load(path), full_check=True)
                session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
                batches = []
                for at in range(0, len(images), 500):
                    batch = images[at : at + 500]
                    if not flags:
                        batch = batch.astype(numpy.float32) / numpy.float32(255)
                    batches.append(session.run(["logits"], {"image": batch})[0])
                theirs = numpy.concatenate(batches)
                difference = float(numpy.abs(ours - theirs).max())
                classes = int((ours.argmax(1) != theirs.argmax(1)).sum())
                takes = "bytes" if flags else "numbers"
                print(f"{run.name:<12} {takes:<8} {len(images)} images, {classes} other classes, logits within {difference:.1e}")
                failed |= classes > 0 or difference > LIMIT
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
