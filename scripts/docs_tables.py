#!/usr/bin/env python3
"""Fills the generated blocks of the documentation from the program and the published results.

    scripts/docs_tables.py            rewrites the blocks in place
    scripts/docs_tables.py --check    changes nothing; prints a diff and exits 1 if a block is out of date
                                      or a link between the documents leads nowhere

A block stands between `<!-- generated: NAME -->` and `<!-- end -->`. FM_EXP names the program's binary; the
release build is taken first, then the dev build. Needs Python 3.10 or newer and no package.
"""

import csv
import difflib
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCH = ROOT / "results/bench-2026-11-23-amd-epyc/peers.csv"
REFERENCE = ROOT / "results/reference-cpu/runs.csv"
BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

# Networks of the table in docs/networks.md: the string, and what it is.
NETWORKS = [
    ("32C3-MP2-64C3-MP2-64C3-MP2--128", "the notebook's CNN"),
    ("32C3-MP2-64C3-MP2--64-32", "the notebook's encoder with an MLP"),
    ("8C3-MP2-16C3-MP2--32", "a small one at fused speed"),
    ("cnn@32x32x3", "`cnn` for 32x32 colour images"),
    ("32C5.same-MP2-64C5.same-MP2", "two padded 5x5 convolutions"),
    ("32C3-MP2-D25-64C3-MP2--D50-128", "with dropout"),
    ("16C3.same.bn-3x16R3-3x32R3.s2-3x64R3.s2-GAP", "ResNet-20 (He et al., 2015)"),
    ("10C3.same.bn-3x10R3-3x20R3.s2-3x40R3.s2-GAP", "a narrow ResNet-20"),
    ("24C3.same.bn-MP2-2x32R3-MP2-2x48R3-GAP", "a small residual network with pooling"),
    ("16C5.same.bn-32R3.s2-64R3.s2-GAP", "a residual network of two blocks"),
    ("16C3.same.bn-2x24IR3.s2.se4-2x40IR3.s2.se4-GAP", "inverted residuals with squeeze-excitation"),
    ("16C3.same.bn-MP2-48DS3-MP2-96DS3-128DS3-MP2-160DS3-GAP", "depthwise separable, for microcontrollers"),
]

# Peers of the benchmark: the name in peers.csv, and in the documentation.
PEERS = [
    ("fm-exp, fused engine", "**fm-exp, fused engine**"),
    ("fm-exp, eager engine", "fm-exp, eager engine (libtorch)"),
    ("Keras: compile() and fit()", "Keras 3.15 on TensorFlow 2.21, `fit`"),
    ("PyTorch eager, channels last", "PyTorch 2.11 eager, channels last"),
    ("PyTorch eager, fused Adam", "PyTorch 2.11 eager, fused Adam"),
    ("PyTorch torch.compile", "PyTorch 2.11 `torch.compile`"),
    ("PyTorch eager, channels last, image cut to what the network sees",
     "PyTorch eager, channels last, given our crop"),
]

# The published accuracies of the notebook's single runs.
NOTEBOOK = {"cnn": 0.8876, "encoder-mlp": 0.9077}


def die(message, remedy):
    sys.exit(f"docs_tables: error: {message}\n  help: {remedy}")


def binary():
    named = os.environ.get("FM_EXP")
    for path in [named] if named else [ROOT / "target/release/fm-exp", ROOT / "target/debug/fm-exp"]:
        if os.access(path, os.X_OK):
            return str(path)
    die(f"{named or 'fm-exp'} is not there", "cargo build --release -p fm-exp, or set FM_EXP to the binary")


def run(*command):
    """What a command prints; environment variables that give keys are not passed on."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FM_")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        die(f"{' '.join(map(str, command))} failed:\n{done.stderr.strip()}", "repair that first")
    return done.stdout


# --- the program --------------------------------------------------------------------------------------

def networks():
    """Parameters, multiply-adds and engine of the example networks."""
    lines = ["| string | parameters | multiply-adds | sees | engine on the CPU | what it is |",
             "|---|--:|--:|--:|---|---|"]
    for text, what in NETWORKS:
        summary = json.loads(run(binary(), "summary", "--arch", text, "--json"))
        # Not part of the JSON: the last lines of the text say it.
        table = run(binary(), "summary", "--arch", text)
        engine = re.search(r"^engine on the CPU: (\w+)", table, re.MULTILINE).group(1)
        alias = f" = `{summary['arch']}`" if summary["arch"] != text else ""
        height, width = summary["sees"]
        lines.append(f"| `{text}`{alias} | {summary['params']:,} | {summary['multiply_adds']:,} | "
                     f"{height}x{width} | {engine} | {what} |")
    return lines


def flags():
    """The flags of `train` as its help prints them: heading, flag, help, default, choices, variable."""
    found, heading, flag = [], None, None
    for line in run(binary(), "train", "--help").splitlines():
        if re.match(r"^\S.*:$", line):
            heading = line[:-1]
        elif start := re.match(r"^  (?:-\w, |    )--(\S+)(?: (.+))?$", line):
            name, value = re.match(r"([a-z-]+)(.*)", start.group(1)).groups()
            # Of `[=<true|false>]`, which a switch may take, and `...`, which may be repeated, nothing is shown.
            value = start.group(2) or ("" if value.startswith("[=") or value == "..." else value)
            flag = {"heading": heading, "key": name, "value": value, "help": [], "choices": []}
            found.append(flag)
        elif flag and line.strip().startswith("- "):
            name, meaning = line.strip()[2:].split(":", 1)
            flag["choices"].append([name, meaning.strip()])
        elif flag and line.strip().startswith("[env:"):
            flag["variable"] = line.strip()[5:].strip(" =]")
        elif flag and flag["choices"] and line.startswith(" " * 12):
            flag["choices"][-1][1] += " " + line.strip()
        elif flag and line.strip() and not line.strip().startswith("Possible values"):
            flag["help"].append(line.strip())
    for flag in found:
        text = " ".join(flag["help"])
        default = re.search(r" *\[default: (.*?)\]", text)
        flag["default"] = default.group(1) if default else ""
        flag["help"] = re.sub(r" *\[(default|possible values): .*?\]", "", text)
    return found


def keys():
    """A table of flags for each heading of `train --help`."""
    lines, heading = [], None
    for flag in flags():
        if flag["key"] == "help":
            continue
        if flag["heading"] != heading:
            heading = flag["heading"]
            lines += ["", f"**{heading}**", "", "| flag | meaning | default |", "|---|---|---|"]
        value = f" {flag['value']}" if flag["value"] else ""
        meaning = flag["help"]
        for name, what in flag["choices"]:
            meaning += f"<br>`{name}`: {what[:1].lower()}{what[1:]}"
        cells = [f"`--{flag['key']}{value}`", meaning, flag["default"]]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines[1:] + [""]


def recipes():
    """The keys of each recipe."""
    lines = ["| recipe | what it is | keys |", "|---|---|---|"]
    for recipe in json.loads(run(binary(), "keys", "--json"))["recipes"]:
        keys = ", ".join(f"`{key} = {json.dumps(value)}`" for key, value in recipe["keys"].items()) or "none"
        lines.append(f"| `{recipe['name']}` | {recipe['help']} | {keys} |")
    return lines


def augmentations():
    """What may stand in --augment."""
    lines = ["| word | behind it | what it does |", "|---|---|---|"]
    for each in json.loads(run(binary(), "keys", "--json"))["augmentations"]:
        lines.append(f"| `{each['word']}` | {each['takes']} | {each['help']} |")
    return lines


# --- published results --------------------------------------------------------------------------------

def samples():
    """Seconds per epoch by network and peer."""
    found = {}
    with open(BENCH, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault((row["arch"], row["peer"]), []).append(float(row["seconds_per_epoch"]))
    return found


def bench_line():
    """The speed in a sentence."""
    median = {key: statistics.median(values) for key, values in samples().items()}
    ours, keras, torch = (median["cnn", PEERS[i][0]] for i in (0, 2, 3))
    return [f"**Speed:** an epoch of `cnn` (60,000 images, batch 32) takes {ours:.2f} s on two cores of an AMD EPYC;",
            f"Keras takes {keras:.1f} s, PyTorch {torch:.1f} s ([how it was measured](docs/engines.md#speed))."]


def bench():
    """Every peer's seconds per epoch."""
    found = samples()
    lines = ["| | cnn | times ours | encoder-mlp | times ours |", "|---|--:|--:|--:|--:|"]
    for peer, label in PEERS:
        cells = [label]
        for arch in ("cnn", "encoder-mlp"):
            values, ours = found[arch, peer], statistics.median(found[arch, PEERS[0][0]])
            middle, ratio = statistics.median(values), statistics.median(values) / ours
            bold = "**" if peer == PEERS[0][0] else ""
            cells.append(f"{bold}{middle:.2f}{bold} ({min(values):.2f} to {max(values):.2f})")
            cells.append("1" if bold else f"{ratio:.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def accuracy():
    """The reference runs in two rows."""
    with open(REFERENCE, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = ["| network | parameters | test accuracy: mean ± sd (range) | notebook's single run |",
             "|---|--:|--:|--:|"]
    for arch, notebook in NOTEBOOK.items():
        ours = [float(row["test_acc"]) for row in rows if row["arch"] == arch]
        params = json.loads(run(binary(), "summary", "--arch", arch, "--json"))["params"]
        lines.append(f"| `{arch}`, {len(ours)} seeds | {params:,} | {statistics.mean(ours):.4f} ± "
                     f"{statistics.stdev(ours):.4f} ({min(ours):.4f} to {max(ours):.4f}) | {notebook:.4f} |")
    return lines


def script(name, *arguments):
    """What another script prints."""
    return lambda: run(sys.executable, str(ROOT / "scripts" / name), *arguments).rstrip().splitlines()


GENERATORS = {
    "accuracy": accuracy,
    "augmentations": augmentations,
    "bench": bench,
    "bench-line": bench_line,
    "bench-networks": script("bench_table.py", "peers"),
    "composition": script("composition_table.py"),
    "first-step": script("bench_table.py", "first-step"),
    "keys": keys,
    "networks": networks,
    "recipes": recipes,
    "recipes-ablation": script("recipes_table.py", "ablation"),
    "recipes-lengths": script("recipes_table.py", "lengths"),
    "recipes-strong": script("recipes_table.py", "strong"),
    "records": script("records_table.py"),
    "reference": script("reference_table.py"),
}


# --- documents ----------------------------------------------------------------------------------------

def documents():
    """Every Markdown file that Git knows or would take."""
    listed = run("git", "ls-files", "-co", "--exclude-standard", "*.md").splitlines()
    return [ROOT / path for path in sorted(set(listed)) if (ROOT / path).exists()]


def filled(text, path):
    """The text with its blocks as the generators print them now."""
    def block(match):
        name = match.group(2)
        if name not in GENERATORS:
            die(f"{path}: no generator '{name}'", f"known are {', '.join(sorted(GENERATORS))}")
        return match.group(1) + "\n".join(GENERATORS[name]()) + "\n" + match.group(3)
    return BLOCK.sub(block, text)


def anchors(text):
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ +(.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def broken_links(path, text):
    """Relative links and anchors that lead nowhere."""
    bare = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", bare):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        if not there.exists():
            yield f"{path.relative_to(ROOT)}: {target}: no such file"
        elif anchor and there.suffix == ".md" and anchor not in anchors(there.read_text(encoding="utf-8")):
            yield f"{path.relative_to(ROOT)}: {target}: no such heading"


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    check, wrong = sys.argv[1:] == ["--check"], []
    for path in documents():
        before = path.read_text(encoding="utf-8")
        after = filled(before, path.relative_to(ROOT))
        name = str(path.relative_to(ROOT))
        if check and after != before:
            diff = difflib.unified_diff(before.splitlines(), after.splitlines(), name, f"{name}, generated", lineterm="")
            wrong += diff
        elif after != before:
            path.write_text(after, encoding="utf-8")
            print(f"rewrote {name}")
        wrong += broken_links(path, after)
    if wrong:
        print("\n".join(wrong))
        print("docs_tables: the documents are out of date: run scripts/docs_tables.py, and repair links", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
