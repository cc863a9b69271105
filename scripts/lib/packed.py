"""Reads runs.npz, what `fm-exp pack` makes of a directory of runs, without NumPy.

With it, numpy.load("runs.npz") has the arrays, and json.loads(numpy.load("runs.npz")["runs.json"]) the rest.
"""

import array
import ast
import json
import pathlib
import zipfile


class Packed:
    """The runs of a directory of results."""

    def __init__(self, folder):
        self.archive = zipfile.ZipFile(pathlib.Path(folder) / "runs.npz")
        index = json.loads(self.archive.read("runs.json"))
        self.classes, self.runs = index["classes"], index["runs"]

    def summaries(self):
        """Each run's summary.json, at its own length."""
        return [self.own(run)["summary"] for run in self.runs]

    def confusions(self, arch):
        """The confusion matrix of each run of an architecture, row by row in one list."""
        size, counts = len(self.classes) ** 2, self.counts("confusion")
        rows = [self.own(run)["row"] for run in self.runs if self.own(run)["summary"]["arch"] == arch]
        return [list(counts[size * row : size * (row + 1)]) for row in rows]

    @staticmethod
    def own(run):
        """What a run scored at its own length."""
        return next(scored for scored in run["scored"] if scored["at"] is None)

    def counts(self, name):
        """The values of a uint32 array, row by row."""
        data = self.archive.read(f"{name}.npy")
        assert data[:8] == b"\x93NUMPY\x01\x00", f"{name} is not of version 1.0 of NumPy's format"
        start = 10 + int.from_bytes(data[8:10], "little")
        header = ast.literal_eval(data[10:start].decode("latin-1"))
        assert header["descr"] == "<u4" and not header["fortran_order"], header
        values = array.array("I", data[start:])
        assert values.itemsize == 4
        return values
