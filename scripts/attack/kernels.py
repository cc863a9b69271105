"""The fused kernels: random networks, plainly, under sanitizers and under Miri."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

TARGET = "x86_64-unknown-linux-gnu"
# Kept beside what cargo builds: with sanitizers the standard library is built too.
BUILT = "target/attack"
# A name, how many networks, flags of cargo run, of rustc, and of Miri.
NIGHTLY = {
    "ASan": ("100", ["run", "--quiet", "--target", TARGET], "-Zsanitizer=address -Copt-level=2", ""),
    "TSan": ("60", ["run", "--quiet", "-Zbuild-std", "--target", TARGET], "-Zsanitizer=thread -Copt-level=2", ""),
    "Miri": ("4", ["miri", "run", "--quiet"], "", "-Zmiri-disable-isolation"),
}


def has(command):
    return subprocess.run(command, capture_output=True).returncode == 0


def missing():
    """Why what needs nightly cannot run, by name."""
    if not has(["cargo", "+nightly", "--version"]):
        return dict.fromkeys(NIGHTLY, "no nightly compiler: rustup toolchain install nightly")
    why = {}
    found = subprocess.run(["rustc", "+nightly", "--print", "sysroot"], capture_output=True, text=True)
    if not os.path.isdir(f"{found.stdout.strip()}/lib/rustlib/src/rust/library/std"):
        why["TSan"] = "no sources of std: rustup component add rust-src --toolchain nightly"
    if not has(["cargo", "+nightly", "miri", "--version"]):
        why["Miri"] = "rustup component add miri rust-src --toolchain nightly"
    return why


def attack(a, area):
    def run(name, command, env):
        environment = {**os.environ, "CARGO_TARGET_DIR": f"{BUILT}/{name}", **{k: v for k, v in env.items() if v}}
        try:
            ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1500)
        except subprocess.TimeoutExpired:
            return name, "not done", ["not done in 1500 s"]
        counted = [line for line in ran.stdout.splitlines() if line.endswith("networks")]
        bad = ran.returncode != 0 or not counted
        return name, counted[-1] if counted else "nothing", [(ran.stdout + ran.stderr)[-1500:]] if bad else []

    example = ["-p", "fm-kernels", "--example", "random", "--"]
    jobs = [("plain", ["cargo", "run", "--release", "--quiet", *example, "200"], {})]
    why = missing()
    for name, (count, cargo, rustc, miri) in NIGHTLY.items():
        if name in why:
            a.skip(f"{area}: {name}", why[name])
            continue
        path = ["portable"] if name == "Miri" else []
        command = ["cargo", "+nightly", *cargo, *example, count, *path]
        jobs.append((name, command, {"RUSTFLAGS": rustc, "MIRIFLAGS": miri}))
    # Miri has one thread and takes longest: the others go beside it.
    with ThreadPoolExecutor(2) as pool:
        for name, counted, wrong in pool.map(lambda job: run(*job), reversed(jobs)):
            a.note(area, f"{name} ({counted})", wrong)
            print(f"  {name}: {counted}", flush=True)
