#!/usr/bin/env python3
"""Writes the SHA-256 of every wheel behind the versions in requirements files, one for each Python that may install
them, so that pip takes those and no others (--require-hashes).

    python3 scripts/lib/pin.py FILE...

A file begins with comments; `# pythons: 3.11 3.12` among them says for which versions of Python. pip itself is asked
what it would install (--dry-run), so it follows the machine's own settings. Nothing is installed.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path


def wheels(names, python):
    """Which wheels pip would install: (name as written, version) -> SHA-256."""
    with tempfile.TemporaryDirectory() as there:
        report = Path(there, "report.json")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--dry-run"]
        pip += ["--ignore-installed", "--no-deps", "--only-binary=:all:", "--python-version", python]
        subprocess.run([*pip, "--target", f"{there}/none", "--report", report, *names], check=True)
        for one in json.loads(report.read_text())["install"]:
            yield plain(one["metadata"]["name"]), one["download_info"]["archive_info"]["hashes"]["sha256"]


def plain(name):
    return re.sub("[-_.]+", "-", name).lower()


def pin(path):
    lines = path.read_text().splitlines()
    head = [line for line in lines if line.startswith("#")]
    names = [line.split()[0] for line in lines if re.match("[A-Za-z]", line)]
    pythons = next(line for line in head if line.startswith("# pythons:")).split(":")[1].split()
    found = {plain(name.split("==")[0]): set() for name in names}
    for python in pythons:
        for name, digest in wheels(names, python):
            found[name].add(digest)
    text = "\n".join(head) + "\n"
    for name in names:
        digests = "".join(f" \\\n    --hash=sha256:{digest}" for digest in sorted(found[plain(name.split("==")[0])]))
        text += f"{name}{digests}\n"
    path.write_text(text)


for path in sys.argv[1:]:
    pin(Path(path))
