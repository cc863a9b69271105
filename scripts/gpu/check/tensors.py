"""Tensors of safetensors files, with Python alone."""

import array
import json
import struct


def read(path):
    """Name -> values, of 32-bit floats."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    found = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            found[name] = array.array("f", data[start:end])
    return found


def group(tensors, name):
    """Those of a checkpoint's group, such as `m` or `weights`, without its prefix."""
    return {key.removeprefix(f"{name}."): values for key, values in tensors.items() if key.startswith(f"{name}.")}


def largest(values):
    return max(map(abs, values), default=0.0)


def apart(a, b):
    """The largest difference of two sets of tensors, as a share of the tensor's largest value, and which tensor's."""
    if a.keys() != b.keys():
        raise ValueError(f"other tensors: {sorted(a.keys() ^ b.keys())}")
    worst = (0.0, "")
    for name in a:
        difference = max((abs(x - y) for x, y in zip(a[name], b[name], strict=True)), default=0.0)
        share = difference / (largest(b[name]) or 1.0)
        # A number that is none is the worst.
        if not share <= worst[0]:
            worst = (share, name)
    return worst
