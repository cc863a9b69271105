"""Hostile model files: everything that a safetensors file can get wrong, in every command that reads one."""

import json
import os
import struct

import pictures

NAN, INF = struct.pack("<f", float("nan")), struct.pack("<f", float("inf"))


def parse(data):
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def build(header, body):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def changed(data, change):
    """The file with its header, or its body, changed."""
    header, body = parse(data)
    header, body = change(header, bytearray(body)) or (header, body)
    return build(header, bytes(body))


def poke(name, value):
    def change(header, body):
        start = header[name]["data_offsets"][0]
        body[start : start + 4] = value
        return header, body
    return change


def metadata(key, value):
    def change(header, body):
        header["__metadata__"][key] = value if isinstance(value, str) else json.dumps(value)
        return header, body
    return change


def tensor(name, key, value):
    def change(header, body):
        header[name][key] = value
        return header, body
    return change


def attack(a, area):
    good = (a.base() / "model.safetensors").read_bytes()
    header, body = parse(good)
    first, last = "encoder.conv1.weight", "head.dense3.bias"
    last = last if last in header else sorted(n for n in header if n.endswith(".bias"))[-1]
    size = header[first]["data_offsets"]
    refused = {  # exit 7, each in every command
        "NaN in a weight": changed(good, poke(first, NAN)),
        "infinity in the last bias": changed(good, poke(last, INF)),
        "empty": b"",
        "seven bytes": b"\0" * 7,
        "half a file": good[: len(good) // 2],
        "a header of 2^64 - 1": struct.pack("<Q", 2**64 - 1) + good[8:],
        "a header of 2^40": struct.pack("<Q", 2**40) + good[8:],
        "a header that is no JSON": build(b"{" * 100, body),
        "depth 100,000": build(b'{"a":' * 100_000, b""),
        "overlapping tensors": changed(good, tensor(last, "data_offsets", size)),
        "offsets beyond the end": changed(good, tensor(first, "data_offsets", [size[0], size[1] + 2**40])),
        "a shape that overflows": changed(good, tensor(first, "shape", [2**32, 2**32, 3, 3])),
        "a negative shape": changed(good, tensor(first, "shape", [-32, 1, 3, 3])),
        "an unknown type": changed(good, tensor(first, "dtype", "F33")),
        "integers": changed(good, tensor(first, "dtype", "I32")),
        "an unknown network": changed(good, metadata("arch", "no-such")),
        "a network that a terminal obeys": changed(good, metadata("arch", "cnn\n\x1b]0;x\x07")),
    }
    wide = json.loads(header["__metadata__"]["classes"])
    heads = {  # the encoder alone is taken by --pretrain
        "no class names": [], "one name": ["only"], "300 names": [str(i) for i in range(300)],
        "a name twice": [wide[0]] * len(wide), "a name with escapes": ["\x1b[2J", *wide[1:]],
        "names that are numbers": list(range(len(wide))), "names that are a string": "abc",
    }
    heads = {name: changed(good, metadata("classes", value)) for name, value in heads.items()}
    picture = a.path("p.png")
    picture.write_bytes(pictures.png(40, 30))
    for name, data in {**refused, **heads}.items():
        path = a.path(f"{a.count}.safetensors")
        path.write_bytes(data)
        for verb, more in [("predict", [picture]), ("eval", ["--dataset", a.data, "--out", a.path()]),
                           ("encode", ["--dataset", a.data, "--out", a.path()])]:
            if a.short and verb == "encode" and name in refused:
                continue
            ran = a.run([verb, path, *more, "--device", "cpu", "--threads", 1])
            a.check(area, f"{name}: {verb}", ran, 7, hasnt=("\x1b", "NaN %"))
        if name in refused and "network" not in name and "last bias" not in name:
            ran = a.train("--arch", "encoder-mlp", "--pretrain", path)
            a.check(area, f"{name}: --pretrain", ran, 7, hasnt=("smaller --lr;",))
    fifo = a.path("fifo")
    os.mkfifo(fifo)
    for path in (fifo, "/dev/zero", "/dev/null", a.place, "/nowhere"):
        for args in (["predict", path, picture], ["eval", path, "--dataset", a.data],
                     ["--config", path, "--dataset", a.data], ["--pretrain", path, "--dataset", a.data]):
            a.check(area, f"{args[0]} {path}", a.run([*args, "--device", "cpu"], timeout=20), (2, 3, 4, 7))
    # Random damage: any documented end, no panic.
    for _ in range(10 if a.short else 100):
        data = bytearray(good)
        for _ in range(a.random.randint(1, 8)):
            data[a.random.randrange(min(len(data), 4000))] = a.random.randrange(256)
        path = a.path(f"{a.count}.safetensors")
        path.write_bytes(data)
        a.check(area, "random bytes in the header", a.run(["predict", path, picture, "--device", "cpu"]))
