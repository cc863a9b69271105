"""What scripts/interop/int8.sh runs: the integer arithmetic of exported C files in NumPy, on all test images.

    python int8.py DIR IMAGES LABELS      DIR/N are runs, DIR/cN/model.c their exports; IMAGES and LABELS are IDX files

Sums are whole numbers below 2^53 in float64, so they are exact; rounding is the C file's. Prints each pair of accuracies
and the mean difference with its 95 % interval (Student's t over the seeds).
"""

import gzip
import json
import pathlib
import re
import statistics
import sys

import numpy

# Student's t, 97.5 %, for 1 to 19 degrees of freedom.
T = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093]


def idx(path):
    data = pathlib.Path(path).read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])]
    return numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * data[3]).reshape(shape)


def rounded(value, shift):
    """value / 2^shift, halves away from 0."""
    magnitude = (numpy.abs(value) + (numpy.int64(1) << (shift - 1))) >> shift
    return numpy.sign(value) * magnitude


def windows(x, k, stride, oh, ow):
    view = numpy.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))
    return view[:, :, : stride * oh : stride, : stride * ow : stride]


def run(code, images):
    """Logits of one batch, [n, classes]."""
    arrays = {
        name: numpy.array([float(v.rstrip("f")) for v in body.replace("\n", " ").split(",") if v.strip()])
        for name, body in re.findall(r"static const [\w ]+ (\w+)\[\d+\] = \{(.*?)\};", code, re.DOTALL)
    }
    body = code[code.index("_run(const") :]
    x = images.astype(numpy.int64).reshape(len(images), 1, *images.shape[1:]) - 128
    for function, args in re.findall(r"^  (\w+)\((.*)\);$", body, re.MULTILINE):
        args = [a.strip() for a in args.split(",")]
        if function == "conv":
            weight, bias, multiplier, shift = (arrays[a] for a in args[2:6])
            c, h, w, oc, oh, ow, k, stride, pad, groups, zero, to, low = map(int, args[6:])
            assert groups == 1
            x = numpy.pad(x.reshape(len(x), c, h, w) - zero, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
            patches = windows(x, k, stride, oh, ow).transpose(0, 2, 3, 1, 4, 5).reshape(-1, c * k * k)
            sums = patches.astype(numpy.float64) @ weight.reshape(oc, -1).T + bias
            q = rounded(sums.astype(numpy.int64) * multiplier.astype(numpy.int64), shift.astype(numpy.int64)) + to
            x = q.clip(low, 127).reshape(len(x), oh, ow, oc).transpose(0, 3, 1, 2)
        elif function == "max_pool":
            h, w, oc, oh, ow, size, stride, low = map(int, args[2:])
            x = numpy.maximum(windows(x.reshape(len(x), oc, h, w), size, stride, oh, ow).max((4, 5)), low)
        elif function == "copy":
            x = numpy.maximum(x.reshape(len(x), -1), int(args[3]))
        elif function == "dense_out":
            weight, bias, scale = (arrays[a] for a in args[2:5])
            sums = (x.reshape(len(x), -1) - int(args[7])) @ weight.reshape(len(bias), -1).T + bias
            return sums.astype(numpy.float32) * scale.astype(numpy.float32)
        else:
            raise SystemExit(f"int8: {function} is not among the operators of cnn")
    raise SystemExit("int8: no dense layer at the end")


def main():
    place, images, labels = pathlib.Path(sys.argv[1]), idx(sys.argv[2]), idx(sys.argv[3])
    lost = []
    for code in sorted(place.glob("c*/model.c")):
        seed = code.parent.name[1:]
        summary = json.loads((place / seed / "summary.json").read_text())
        logits = numpy.concatenate([run(code.read_text(), images[i : i + 500]) for i in range(0, len(images), 500)])
        whole, int8 = summary["test"]["accuracy"], float((logits.argmax(1) == labels).mean())
        print(f"seed {seed}: {whole:.4f} in floats, {int8:.4f} in 8-bit integers", flush=True)
        lost.append(100 * (int8 - whole))
    mean, half = statistics.mean(lost), T[len(lost) - 2] * statistics.stdev(lost) / len(lost) ** 0.5
    print(f"8-bit minus float: {mean:.3f} points, 95 % interval {mean - half:.3f} to {mean + half:.3f}, {len(lost)} seeds")


if __name__ == "__main__":
    main()
