#!/usr/bin/env python3
"""Compiles the CUDA kernels and packs what comes out; prints registers and spilled bytes of each kernel.

    build.py --nvcc NVCC [--check]      --check compares with what is committed and writes nothing

Called by build.sh, which brings the compiler. Output: crates/fm-cuda/kernels/built/, with the hash of the sources, which
a test compares.
"""
import argparse
import gzip
import hashlib
import io
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNELS = ROOT / "crates/fm-cuda/kernels"
BUILT = KERNELS / "built"
# Machine code for Ampere and Ada, and for Hopper; text, which the driver compiles, for newer ones.
TARGETS = {"compute_80": "ptx", "sm_80": "cubin", "sm_90": "cubin"}
# What a kernel may spill to local memory, in bytes.
MOST_SPILLED = 16


def compile(nvcc, target, kind):
    """Returns the code and what the compiler says of it."""
    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory) / f"kernels.{kind}"
        command = [nvcc, "-std=c++17", f"-arch={target}", f"-{kind}", "-Xptxas", "-v", "-o", out, "kernels.cu"]
        # From within, so that no path of this machine gets into the output.
        ran = subprocess.run(command, cwd=KERNELS, capture_output=True, text=True)
        if ran.returncode:
            sys.exit(f"{target}: {ran.stderr}")
        return out.read_bytes(), ran.stderr


def resources(log):
    """(kernel, registers, spilled bytes) of each kernel that ptxas tells of."""
    pattern = r"entry function '(\w+)'.*?(\d+) bytes spill stores.*?Used (\d+) registers"
    return [(name, int(registers), int(spills)) for name, spills, registers in re.findall(pattern, log, re.S)]


def pack(code):
    """The same bytes for the same code, whenever it is packed."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(code)
    return buffer.getvalue()


def sources():
    """One hash of all kernel sources, by name."""
    digest = hashlib.sha256()
    for path in sorted([*KERNELS.glob("*.h"), *KERNELS.glob("*.cu")]):
        if path.name != "emulate.h":  # for tests alone
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nvcc", type=pathlib.Path, required=True)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    BUILT.mkdir(exist_ok=True)
    wrong = []
    for target, kind in TARGETS.items():
        code, log = compile(args.nvcc.resolve(), target, kind)
        for name, registers, spills in resources(log):
            print(f"{target:<11} {name:<20} {registers:>4} registers {spills:>5} bytes spilled")
            if spills > MOST_SPILLED:
                wrong.append(f"{target}: {name} spills {spills} bytes")
        path = BUILT / f"{target}.{kind}.gz"
        if not args.check:
            path.write_bytes(pack(code))
        elif not path.is_file() or gzip.decompress(path.read_bytes()) != code:
            wrong.append(f"{path.relative_to(ROOT)} is not what the sources make: run scripts/cuda/build.sh")
    if not args.check:
        (BUILT / "sources.sha256").write_text(sources())
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
