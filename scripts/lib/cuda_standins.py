"""Stand-ins for the CUDA libraries that PyTorch's wheel links to, so that it can be imported without them.

PyPI's Linux x86-64 wheel of PyTorch is linked to CUDA's libraries. On a machine without a GPU nothing in
them is ever called, but the dynamic linker wants them there; they are more than 3 GB to download. This
writes shared libraries of the same names, holding every symbol that PyTorch's own libraries look for,
into torch/lib. Each symbol is a function that aborts: a call would be loud, not wrong. The CPU's code,
all of it in libtorch_cpu.so, is not touched.

    python cuda_standins.py          needs cc, ldd, nm and readelf
"""

import importlib.util
import pathlib
import re
import subprocess
import tempfile


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def missing(libraries):
    """Names of the libraries that the dynamic linker does not find, the driver's excepted."""
    names = set()
    for library in libraries:
        names.update(re.findall(r"^\s*(\S+) => not found", output("ldd", library), re.MULTILINE))
    return sorted(names - {"libcuda.so.1"})


def version_owners(libraries):
    """Symbol version -> the library that has to provide it."""
    owners = {}
    for library in libraries:
        file = None
        for line in output("readelf", "-VW", library).splitlines():
            if found := re.search(r"Version: 1  File: (\S+)  Cnt:", line):
                file = found[1]
            elif found := re.search(r"  Name: (\S+)  Flags:", line):
                owners[found[1]] = file
    return owners


def undefined(libraries):
    """(symbol, version or None) for all that the libraries look for elsewhere."""
    for library in libraries:
        for line in output("nm", "-D", "--undefined-only", library).splitlines():
            symbol, _, version = line.split()[-1].partition("@")
            yield symbol, version or None


def main():
    folder = pathlib.Path(importlib.util.find_spec("torch").origin).parent / "lib"
    libraries = [p for p in sorted(folder.glob("*.so")) if p.name != "libshm_windows"]
    names = missing(libraries)
    owners = version_owners(libraries)
    symbols = {name: {} for name in names}
    for symbol, version in undefined(libraries):
        if version is None and re.match(r"cudnn|cusolver|cufile|cuFile|cublas|cusparse|cufft|curand|nccl|nvrtc", symbol):
            # Not versioned: any library of those loaded first will do.
            symbols.get("libcudnn.so.9", {}).setdefault(None, set()).add(symbol)
        elif owners.get(version) in symbols:
            symbols[owners[version]].setdefault(version, set()).add(symbol)
    with tempfile.TemporaryDirectory() as scratch:
        source, script = pathlib.Path(scratch, "standin.c"), pathlib.Path(scratch, "standin.map")
        for name, versions in symbols.items():
            every = sorted(s for group in versions.values() for s in group)
            source.write_text("".join(f"void {s}(void) {{ __builtin_trap(); }}\n" for s in every) or "\n")
            command = ["cc", "-shared", "-fPIC", "-nostdlib", f"-Wl,-soname,{name}", "-o", folder / name, source]
            if set(versions) - {None}:
                script.write_text(
                    "".join(f"{v} {{ global: {' '.join(f'{s};' for s in sorted(group))} }};\n" for v, group in versions.items() if v)
                )
                command.append(f"-Wl,--version-script={script}")
            subprocess.run(command, check=True)
    print(f"{len(names)} stand-ins for CUDA libraries in {folder.name}/: {' '.join(names)}")


if __name__ == "__main__":
    main()
