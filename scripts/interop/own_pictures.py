"""Makes what docs/own-pictures.md starts from: 500 colour PNGs of mixed sizes in three classes, and small files shaped as
CIFAR-10's and EMNIST's. Needs nothing but Python.

    python3 scripts/interop/own_pictures.py DIR     writes DIR/shapes, DIR/cifar and DIR/emnist
"""

import pathlib
import random
import struct
import sys
import zlib


def png(width, height, pixel):
    """A PNG of red, green and blue."""
    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in pixel(x, y)) for y in range(height))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def inside(shape, x, y):
    """Whether a point of the square from -1 to 1 belongs to the shape."""
    if shape == "disc":
        return x * x + y * y < 0.64
    if shape == "square":
        return max(abs(x), abs(y)) < 0.7
    return y < 0.7 and abs(x) < (y + 0.8) / 1.9


def drawn(shape, width, height, rng):
    """A pixel function: the shape in one colour on another, moved and noisy."""
    front, back = ([rng.randrange(256) for _ in range(3)] for _ in range(2))
    while sum(abs(a - b) for a, b in zip(front, back)) < 200:
        back = [rng.randrange(256) for _ in range(3)]
    side = rng.uniform(0.6, 0.95) * min(width, height) / 2
    dx, dy = rng.uniform(-0.15, 0.15) * width, rng.uniform(-0.15, 0.15) * height

    def pixel(x, y):
        colour = front if inside(shape, (x - width / 2 - dx) / side, (y - height / 2 - dy) / side) else back
        return [min(255, max(0, c + rng.randrange(-12, 13))) for c in colour]

    return pixel


def main():
    place, rng = pathlib.Path(sys.argv[1]), random.Random(7)
    shapes = ["disc", "square", "triangle"]
    for i in range(500):
        shape, (width, height) = shapes[i % 3], (rng.randrange(24, 90), rng.randrange(24, 90))
        folder = place / "shapes" / shape
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i:03}.png").write_bytes(png(width, height, drawn(shape, width, height, rng)))

    cifar = place / "cifar"
    cifar.mkdir(parents=True, exist_ok=True)
    for name, n in [*((f"data_batch_{i}.bin", 60) for i in range(1, 6)), ("test_batch.bin", 60)]:
        data = bytearray()
        for i in range(n):
            pixel = drawn(shapes[i % 3], 32, 32, rng)
            pixels = [pixel(x, y) for y in range(32) for x in range(32)]
            data += bytes([i % 3]) + bytes(p[channel] for channel in range(3) for p in pixels)
        (cifar / name).write_bytes(data)
    (cifar / "batches.meta.txt").write_text("\n".join(shapes) + "\n")

    cifar = place / "cifar100"
    cifar.mkdir(parents=True, exist_ok=True)
    for name, n in [("train.bin", 200), ("test.bin", 100)]:
        data = bytearray()
        for i in range(n):
            pixel = drawn(shapes[i % 3], 32, 32, rng)
            pixels = [pixel(x, y) for y in range(32) for x in range(32)]
            # The superclass goes before the label.
            data += bytes([i % 20, i % 100]) + bytes(p[channel] for channel in range(3) for p in pixels)
        (cifar / name).write_bytes(data)
    (cifar / "fine_label_names.txt").write_text("".join(f"class {i}\n" for i in range(100)))

    emnist = place / "emnist"
    emnist.mkdir(parents=True, exist_ok=True)
    for half, n in [("train", 520), ("test", 130)]:
        images, labels = bytearray(), bytearray()
        for i in range(n):
            letter, shift = i % 26, rng.randrange(3)
            # A pattern of the letter's five bits in bars, transposed as EMNIST has it.
            bars = lambda x, y: 220 if (letter + 1) >> ((y - shift) // 5 % 5) & 1 and 4 < x < 23 else rng.randrange(30)
            images += bytes(bars(x, y) for x in range(28) for y in range(28))
            labels.append(letter + 1)
        for kind, dims, data in [("images-idx3", (n, 28, 28), images), ("labels-idx1", (n,), labels)]:
            header = struct.pack(f">BBBB{len(dims)}I", 0, 0, 8, len(dims), *dims)
            (emnist / f"emnist-letters-{half}-{kind}-ubyte").write_bytes(header + data)


if __name__ == "__main__":
    main()
