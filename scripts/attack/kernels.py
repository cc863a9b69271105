"""The fused kernels: random networks, plainly, under sanitizers and under Miri."""

import os
import subprocess

TARGET = "x86_64-unknown-linux-gnu"


def attack(a, area):
    def run(name, command, env=None, timeout=900):
        environment = {**os.environ, "CARGO_TARGET_DIR": str(a.place / "kernels-target"), **(env or {})}
        try:
            ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout)
        except subprocess.TimeoutExpired:
            return a.note(area, name, [f"not done in {timeout} s"])
        counted = [line for line in ran.stdout.splitlines() if line.endswith("networks")]
        a.note(area, f"{name} ({counted[-1] if counted else 'nothing'})",
               [] if ran.returncode == 0 and counted else [(ran.stdout + ran.stderr)[-600:]])
        print(f"  {name}: {counted[-1] if counted else 'failed'}", flush=True)

    def has(command):
        return subprocess.run(command, capture_output=True).returncode == 0

    example = ["-p", "fm-kernels", "--example", "random", "--"]
    run("plain", ["cargo", "run", "--release", "--quiet", *example, "200"])
    nightly = ["cargo", "+nightly"]
    if not has([*nightly, "--version"]):
        return a.skip(area, "no nightly compiler for Miri, ASan and TSan")
    flags = {"RUSTFLAGS": "-Zsanitizer=address -Copt-level=2"}
    run("ASan", [*nightly, "run", "--quiet", "--target", TARGET, *example, "100"], flags)
    sysroot = subprocess.run(["rustc", "+nightly", "--print", "sysroot"], capture_output=True, text=True).stdout.strip()
    if os.path.isdir(f"{sysroot}/lib/rustlib/src/rust/library/std"):
        flags = {"RUSTFLAGS": "-Zsanitizer=thread -Copt-level=2"}
        run("TSan", [*nightly, "run", "--quiet", "-Zbuild-std", "--target", TARGET, *example, "60"], flags)
    else:
        a.skip(f"{area}: TSan", "no sources of std: rustup component add rust-src --toolchain nightly")
    if has([*nightly, "miri", "--version"]):
        run("Miri, portable path", [*nightly, "miri", "run", "--quiet", *example, "1", "portable"], {"MIRIFLAGS": "-Zmiri-disable-isolation"})
    else:
        a.skip(f"{area}: Miri", "rustup component add miri --toolchain nightly")
