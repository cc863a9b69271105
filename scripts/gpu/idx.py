"""The data set's IDX files, read and cut with Python alone."""

import functools
import gzip
import pathlib
import struct

PLACES = ("data/fashion-mnist", "/usr/share/datasets/fashion-mnist")
PARTS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def find(given=None):
    """The directory that holds the files, none where there is none."""
    places = [given] if given else PLACES
    return next((pathlib.Path(p) for p in places if any(pathlib.Path(p).glob("train-images-idx3-ubyte*"))), None)


@functools.cache
def read(directory, name):
    """A file's dimensions and its items' bytes."""
    plain, packed = directory / name, directory / f"{name}.gz"
    data = plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())
    rank = data[3]
    shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
    return shape, data[4 + 4 * rank :]


def cut(source, target, train, test):
    """Writes a data set of those images only: `train` and `test` are ranges of rows."""
    target.mkdir(parents=True)
    for part, rows in (("train", train), ("test", test)):
        for name in PARTS[part]:
            shape, items = read(source, name)
            size = len(items) // shape[0]
            header = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", len(rows), *shape[1:])
            (target / name).write_bytes(header + items[rows.start * size : rows.stop * size])
    return target
