#!/usr/bin/env python3
"""Writes registers, stack and estimated times of the committed kernels into crates/fm-cuda/README.md.

    resources.py --tools DIR --work FILE [--check]

DIR has cuobjdump and ptxas; FILE is what `cargo run -p fm-cuda --example work` prints. Called by resources.sh. The model
is described in the README; it begins with the times that the README has of an H200.
"""
import argparse
import gzip
import math
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = ROOT / "crates/fm-cuda/kernels/built"
README = ROOT / "crates/fm-cuda/README.md"

# By NVIDIA's data sheets and CUDA's table of compute capabilities: multiprocessors, boost clock in GHz, and of a
# multiprocessor fp32 lanes, threads, KiB of shared memory.
CHIPS = {
    "A100": (8.0, 108, 1.41, 64, 2048, 164),
    "RTX 3090": (8.6, 82, 1.70, 128, 1536, 100),
    "RTX 4090": (8.9, 128, 2.52, 128, 1536, 100),
    "H200": (9.0, 132, 1.98, 128, 2048, 228),
    "B200": (10.0, 148, 1.97, 128, 2048, 228),
    "RTX 5090": (12.0, 170, 2.41, 128, 1536, 100),
}
# What is loaded on a chip: machine code, or text that the driver compiles, here by ptxas of the same release.
CODE = {"8.x": ("sm_80", None), "9.0": ("sm_90", None), "10.0": ("compute_80", "sm_100"), "12.0": ("compute_80", "sm_120")}
# Microseconds from one launch in a graph to the next that does nothing, on an H200.
LAUNCH = 2.0
# Whose time on the H200 stands for that of a kernel that was not timed, a multiply-add at a time.
LIKE = {"dense_split": "middle", "tail": "middle", "dense_back": "middle"}


def run(*command):
    ran = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"{command[0]}: {ran.stderr}")
    return ran.stdout + ran.stderr


def resources(tools, source, target):
    """{kernel: (registers, bytes of stack, bytes spilled or None)}"""
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "kernels"
        if target is None:
            file.write_bytes(gzip.decompress((BUILT / f"{source}.cubin.gz").read_bytes()))
            text = run(tools / "cuobjdump", "--dump-resource-usage", file)
            return {name: (int(registers), int(stack), None)
                    for name, registers, stack in re.findall(r"Function (\w+):\s+REG:(\d+) STACK:(\d+)", text)}
        file.write_bytes(gzip.decompress((BUILT / f"{source}.ptx.gz").read_bytes()))
        text = run(tools / "ptxas", "-v", f"-arch={target}", "-o", "/dev/null", file)
    pattern = r"entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores.*?Used (\d+) registers"
    return {name: (int(registers), int(stack), int(spilled))
            for name, stack, spilled, registers in re.findall(pattern, text, re.S)}


def launches(path):
    """{network: [(kernel, blocks, threads, shared, products)]} of one seed's step."""
    found = {}
    pattern = r"ran (\w+): (\d+) blocks of (\d+) threads and (\d+) bytes, (\d+) products"
    for name, *numbers in re.findall(pattern, path.read_text()):
        network = re.match(r"(cnn|mlp)_(few|many)_", name)
        if network:
            row = (name, *map(int, numbers))
            rows = found.setdefault(network[0][:-1], [])
            if row[0] not in [other[0] for other in rows]:
                rows.append(row)
    return found


def stage(name):
    """`back` of `cnn_few_back1`."""
    return re.sub(r"^(cnn|mlp)_(few|many)_|\d+$", "", name)


def measured(text):
    """{stage: microseconds} of `cnn`, one seed, on the H200; and {(network, seeds): microseconds a step}."""
    stages = {name: float(us) for name, us in re.findall(r"^\| `(\w+)` \| ([\d.]+) \| \d+ ×", text, re.M)}
    steps = {(name, int(seeds)): float(us)
             for name, seeds, us in re.findall(r"^\| `([\w-]+)` \| (\d+) \| ([\d.]+) \| [\d.]+ \|", text, re.M)}
    return stages, steps


def resident(chip, registers, threads, shared):
    """Blocks that a multiprocessor has room for."""
    _, _, _, _, most, memory = CHIPS[chip]
    by_registers = 65536 // (math.ceil(registers / 8) * 8 * threads)
    return max(1, min(by_registers, most // threads, memory * 1024 // (shared + 1024)))


def code_of(chip):
    return {8: "8.x", 9: "9.0", 10: "10.0", 12: "12.0"}[int(CHIPS[chip][0])]


def estimate(launch, on_h200, chip, registers):
    """(least, most) microseconds. Blocks that share a multiprocessor take as long as one, or one after the other."""
    name, blocks, threads, shared, _ = launch
    _, count, clock, lanes, _, _ = CHIPS[chip]
    _, its_count, its_clock, its_lanes, _, _ = CHIPS["H200"]
    waves = lambda c, n: math.ceil(blocks / (n * resident(c, registers[code_of(c)][name][0], threads, shared)))
    work = (on_h200 - LAUNCH) * its_clock / clock
    least = work * waves(chip, count) / waves("H200", its_count)
    most = work * max(least / work, math.ceil(blocks / count) / math.ceil(blocks / its_count) * its_lanes / lanes)
    return LAUNCH + least, LAUNCH + max(least, most)


def tables(tools, work):
    text = README.read_text()
    registers = {chip: resources(tools, *code) for chip, code in CODE.items()}
    steps = launches(work)
    lines = ["| kernel | " + " | ".join(registers) + " | shared memory |", "|---|" + "--:|" * (len(registers) + 1)]
    shared_of = {row[0]: row[3] for rows in steps.values() for row in rows}
    for name in sorted(registers["9.0"], key=lambda name: (name.split("_")[0] in ("cnn", "mlp"), name)):
        cells = []
        for of in registers.values():
            count, stack, spilled = of[name]
            kept = stack if spilled is None else max(stack, spilled)
            cells.append(f"{count} + {kept} B" if kept else str(count))
        shared = f"{shared_of[name] / 1024:.0f} KB" if name in shared_of else "by network"
        lines.append(f"| `{name}` | " + " | ".join(cells) + f" | {shared} |")
    kernels = "\n".join(lines)

    stages, whole = measured(text)
    rows, sums = [], {}
    products = {stage(row[0]): row[4] for row in steps["cnn_few"]}
    for network in ("cnn_few", "mlp_few"):
        for launch in steps[network]:
            what = stage(launch[0])
            like = LIKE.get(what, what)
            on_h200 = stages[what] if network == "cnn_few" else LAUNCH + (stages[like] - LAUNCH) * launch[4] / products[like]
            cells = []
            for chip in CHIPS:
                least, most = estimate(launch, on_h200, chip, registers)
                total = sums.setdefault((network, chip), [0, 0])
                total[0] += least
                total[1] += most
                cells.append(f"{least:.0f}–{most:.0f}" if round(most) > round(least) else f"{least:.0f}")
            rows.append(f"| `{launch[0]}` | {launch[1]} × {launch[2]} | {launch[4] / 1e6:.1f} | " + " | ".join(cells) + " |")
        name = {"cnn_few": "cnn", "mlp_few": "encoder-mlp"}[network]
        cells = [f"{a:.0f}–{b:.0f}" if round(b) > round(a) else f"{a:.0f}" for a, b in (sums[network, c] for c in CHIPS)]
        rows.append(f"| **`{name}`, a step** (H200 measured: {whole[name, 1]:.0f}) | | | " + " | ".join(cells) + " |")
    for name in ("cnn", "encoder-mlp"):
        cells = []
        for _, count, clock, lanes, _, _ in CHIPS.values():
            _, its_count, its_clock, its_lanes, _, _ = CHIPS["H200"]
            cells.append(f"{whole[name, 32] * its_count * its_clock * its_lanes / (count * clock * lanes):.0f}")
        rows.append(f"| **`{name}`, a step of 32 seeds** (H200 measured: {whole[name, 32]:.0f}) | | | " + " | ".join(cells) + " |")
    head = "| launch | blocks × threads | 10⁶ products | " + " | ".join(f"{c} ({CHIPS[c][0]})" for c in CHIPS) + " |"
    times = "\n".join([head, "|---|--:|--:|" + "--:|" * len(CHIPS), *rows])
    return {"registers": kernels, "times": times}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    before = text = README.read_text()
    for name, table in tables(args.tools, args.work).items():
        text = re.sub(rf"(<!-- resources: {name} -->\n).*?(<!-- end -->)", lambda m: m[1] + table + "\n" + m[2], text, flags=re.S)
    if args.check and text != before:
        sys.exit("crates/fm-cuda/README.md: tables of resources are old: run scripts/cuda/resources.sh")
    if not args.check:
        README.write_text(text)


if __name__ == "__main__":
    main()
