#!/usr/bin/env python3
"""Compiles the CUDA kernels with NVRTC and packs what comes out; prints registers, spills and shared memory.

    build.py [--check]      --check compares with what is committed and writes nothing

Called by build.sh, which brings NVRTC. Output: crates/fm-cuda/kernels/built/.
"""
import argparse
import ctypes
import gzip
import io
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNELS = ROOT / "crates/fm-cuda/kernels"
BUILT = KERNELS / "built"
# What is committed: machine code for Ampere/Ada and Hopper, text for all else.
TARGETS = {"compute_70": "ptx", "sm_80": "cubin", "sm_90": "cubin"}


class Nvrtc:
    """NVIDIA's run-time compiler."""

    def __init__(self, library):
        self.library = ctypes.CDLL(str(library))

    def compile(self, target):
        """Returns the code and what the compiler says."""
        source = (KERNELS / "kernels.cu").read_bytes()
        program = ctypes.c_void_p()
        self.call("nvrtcCreateProgram", ctypes.byref(program), source, b"kernels.cu", 0, None, None)
        options = [f"--gpu-architecture={target}", "--std=c++17", f"--include-path={KERNELS}", "--ptxas-options=-v",
                   "--device-as-default-execution-space"]
        packed = (ctypes.c_char_p * len(options))(*[o.encode() for o in options])
        failed = self.library.nvrtcCompileProgram(program, len(options), packed)
        log = self.read(program, "ProgramLog")
        if failed:
            sys.exit(f"{target}: {log.decode()}")
        return self.read(program, "CUBIN" if TARGETS.get(target, "cubin") == "cubin" else "PTX"), log.decode(errors="replace")

    def read(self, program, what):
        size = ctypes.c_size_t()
        self.call(f"nvrtcGet{what}Size", program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        self.call(f"nvrtcGet{what}", program, buffer)
        return buffer.raw.rstrip(b"\0") if what != "CUBIN" else buffer.raw

    def call(self, name, *args):
        if code := getattr(self.library, name)(*args):
            sys.exit(f"{name}: error {code}")


def pack(code):
    """The same bytes for the same code, whenever it is packed."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(code)
    return buffer.getvalue()


def resources(log):
    """(kernel, registers, spilled bytes) of each kernel that ptxas tells of."""
    pattern = r"entry function '(\w+)'.*?(\d+) bytes spill stores.*?Used (\d+) registers"
    return [(name, int(registers), int(spills)) for name, spills, registers in re.findall(pattern, log, re.S)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nvrtc", type=pathlib.Path, required=True, help="libnvrtc.so.12")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--also", nargs="*", default=[], help="further targets, such as sm_120: report only")
    args = parser.parse_args()
    nvrtc, wrong = Nvrtc(args.nvrtc), []
    for target in [*TARGETS, *args.also]:
        code, log = nvrtc.compile(target)
        for name, registers, spills in resources(log):
            print(f"{target:<11} {name:<12} {registers:>4} registers {spills:>5} bytes spilled")
            if spills:
                wrong.append(f"{target}: {name} spills {spills} bytes")
        if target not in TARGETS:
            continue
        path = BUILT / f"{target}.{TARGETS[target]}.gz"
        if args.check:
            if not path.is_file() or gzip.decompress(path.read_bytes()) != code:
                wrong.append(f"{path.relative_to(ROOT)} is not what the sources make: run scripts/cuda/build.sh")
        else:
            BUILT.mkdir(exist_ok=True)
            path.write_bytes(pack(code))
            print(f"{path.relative_to(ROOT)}: {len(code):,} bytes, packed {path.stat().st_size:,}")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
