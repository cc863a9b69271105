"""Set-up and build: pip in its place, two at once, killed, failing; directories that linkers take for more than one."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

# Stands in for python3 -m pip: notes its arguments, and takes its time over an install.
PIP = """#!/bin/bash
[[ " $* " == *" install "* ]] || exit 0
echo "$*" >>"$PIP_LOG"
[ -z "${PIP_FAILS:-}" ] || exit 1
while [ "$1" != --target ]; do shift; done
mkdir "$2" || exit 1
sleep "$PIP_SECONDS"
mkdir -p "$2/torch/lib" && touch "$2/torch/lib/libtorch_cpu.so"
"""


def checkout(a, name):
    """What set-up needs of the repository, in a directory of that name."""
    there = a.path() / name
    shutil.copytree("scripts", there / "scripts")
    shutil.copy("rust-toolchain.toml", there)
    (there / "bin").mkdir()
    (there / "bin/python3").write_text(PIP)
    (there / "bin/python3").chmod(0o755)
    return there


def setup(a, there, seconds=0.1, **more):
    env = {**os.environ, "PATH": f"{there}/bin:{os.environ['PATH']}", "PIP_LOG": f"{there}/log",
           "PIP_SECONDS": str(seconds), "FM_DATA_DIR": str(a.data), **more}
    env.pop("LIBTORCH", None)
    return subprocess.Popen([there / "scripts/setup.sh", "--cpu"], env=env, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, start_new_session=True)


def ended(process):
    out = process.communicate(timeout=60)[0]
    return process.returncode, out


def attack(a, area):
    def is_whole(name, there, code, out, installs):
        log = (there / "log").read_text().splitlines()
        wrong = [] if code == 0 else [f"exit {code}: {out[-300:]}"]
        if not (there / ".libtorch/torch/lib/libtorch_cpu.so").exists() or (there / ".libtorch.new").exists():
            wrong.append("no whole .libtorch, or half of one beside it")
        if len(log) != installs:
            wrong.append(f"{len(log)} installs, expected {installs}")
        wrong += [f"without hashes: {line}" for line in log if "--require-hashes" not in line]
        a.note(area, name, wrong)

    there = checkout(a, "two at once, é")
    both = [setup(a, there, 1) for _ in range(2)]
    results = [ended(process) for process in both]
    is_whole("two at once", there, max(code for code, _ in results), results[0][1] + results[1][1], 1)
    there = checkout(a, "killed")
    process = setup(a, there, 30)
    while not (there / ".libtorch.new").exists() and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    ended(process)
    is_whole("after a kill", there, *ended(setup(a, there)), 2)
    there = checkout(a, "failing")
    code, out = ended(setup(a, there, PIP_FAILS="1"))
    a.note(area, "pip fails", [] if code == 1 and "help:" in out and not (there / ".libtorch").exists() else [out])
    is_whole("after pip failed", there, *ended(setup(a, there)), 2)

    # Every wheel with its hash, and nobody who installs without.
    for listed in sorted([*Path("scripts/lib").glob("*.txt"), *Path("scripts").glob("*/requirements.txt")]):
        text = listed.read_text().replace("\\\n", " ")
        bare = [line for line in text.splitlines() if line.strip() and line[0] not in "#-" and "--hash=sha256:" not in line]
        a.note(area, f"hashes of {listed}", bare[:3])
    for script in sorted(Path("scripts").rglob("*.sh")):
        lines = script.read_text().replace("\\\n", " ").splitlines()
        bare = [line.strip() for line in lines if re.search(r"\bpip\)? install\b", line) and "--require-hashes" not in line]
        a.note(area, f"pip in {script}", bare)

    # A build script's arguments for the linker, with a comma in the directory. fm-torch's compiles C++ too.
    builds = sorted(p for root in ("crates", "examples") for p in Path(root).glob("*/build.rs"))
    for build in (p for p in builds if "rustc-link-arg" in p.read_text()):
        place, lib = a.path(), a.path() / "x,y" / "lib"
        place.mkdir()
        (place / "main.c").write_text("int main(void) { return 0; }\n")
        text = build.read_text()
        if "cc::Build" in text:
            text = re.sub(r"    cc::Build.*?;\n", "", text, flags=re.S)
        (place / "build.rs").write_text(text)
        subprocess.run(["rustc", "--edition", "2024", "-A", "warnings", "-o", "build", "build.rs"], cwd=place, check=True,
                       env={**os.environ, "CARGO_MANIFEST_DIR": str(place)})
        said = subprocess.run([place / "build"], env={**os.environ, "DEP_TCH_LIBTORCH_LIB": str(lib)}, capture_output=True,
                              text=True).stdout.splitlines()
        words = [line.split("=", 1)[1] for line in said if line.startswith("cargo:rustc-link-arg=")]
        linked = subprocess.run(["cc", "main.c", *words, "-o", "main"], cwd=place, capture_output=True, text=True)
        wrong = [linked.stderr[-200:]] if linked.returncode else []
        if not wrong and f"{lib}".encode() not in (place / "main").read_bytes():
            wrong = ["the program has no path to its libraries"]
        a.note(area, f"{build} with a comma", wrong)
