"""How fast: the program's benchmark for each engine, and its peers."""

import csv
import json
import pathlib
import shlex
import sys

from .context import Failed, Skipped, error

ROOT = pathlib.Path(__file__).resolve().parents[3]
ARCHS = ("cnn", "encoder-mlp")
HEAD = ["engine", "network", "precision", "batch", "seconds_per_epoch", "min", "max", "images_per_second"]


def bench_command(context, engine, arch, batch, rounds=5, precision=None):
    flags = ["--device", context.device, "--engine", engine, "--arch", arch, "--batch-size", batch, "--rounds", rounds]
    flags += ["--precision", precision] if precision else []
    # A rehearsal's few steps stand for an epoch.
    flags += [] if context.whole else ["--steps", max(context.options.images // 32, 1)]
    # libtorch launches its kernels one by one: some steps tell as much, and sooner.
    flags += ["--steps", 400] if context.whole and engine == "eager" and context.on_gpu else []
    return context.program("bench", *map(str, flags), "--json", "--quiet")


def bench(engine, precision=None):
    def step(context):
        found = []
        for arch in ARCHS:
            done = context.run(bench_command(context, engine, arch, 32, precision=precision), may_fail=True)
            context.covered(done, engine)
            if done.returncode:
                if "--precision" in done.stderr:
                    raise Skipped(error(done.stderr))
                raise Failed(f"exit {done.returncode}: {error(done.stderr)}")
            result = json.loads(done.stdout)["results"][0]
            row = [engine, arch, precision or "fp32", 32, result["seconds_per_epoch"], result["min"], result["max"], result["images_per_second"]]
            save(context, row)
            found.append(f"{arch} {result['seconds_per_epoch']:.4f} s/epoch ({result['min']:.4f} to {result['max']:.4f})")
        return ", ".join(found)

    return step


def save(context, row):
    path = context.out / "bench.csv"
    is_new = not path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([HEAD, row] if is_new else [row])


def peers(context):
    """scripts/gpu/peers.py, with every engine that there is beside the peers."""
    ours = []
    for engine in context.engines:
        try:
            context.require(engine)
        except Skipped:
            continue
        command = shlex.join(map(str, bench_command(context, engine, "ARCH", "BATCH", rounds=3)))
        run = context.program("train", "--device", context.device, "--engine", engine, "--arch", "ARCH", "--batch-size", "BATCH")
        run += ["--epochs", "EPOCHS", "--protocol", "notebook", "--out", "SCRATCH", *context.data(), "--json", "--quiet"]
        fill = lambda text: text.replace("{", "{{").replace("}", "}}").replace("ARCH", "{arch}").replace("BATCH", "{batch}")
        ours += ["--ours", fill(command), "--ours-run", fill(shlex.join(run)).replace("EPOCHS", "{epochs}").replace("SCRATCH", "{scratch}")]
    options = context.options
    budget = min(options.peers_budget, context.left() - 5)
    flags = ["--device", context.device, "--fm-exp", options.binary, "--data-dir", context.data_dir, "--out", context.scratch / "peers"]
    flags += ["--budget", f"{budget:.0f}", "--prepare", f"{0.55 * budget:.0f}", "--images", options.images, "--many", options.epochs]
    flags += [word for peer in options.peer for word in ("--peer", peer)]
    # The program's libraries are its own matter: PyTorch and JAX find theirs.
    flags += ["--torch-lib", options.torch_lib] if options.torch_lib else []
    done = context.run([sys.executable, ROOT / "scripts/gpu/peers.py", *flags, *ours], environment=context.plain, may_fail=True)
    table = context.scratch / "peers" / "peers.md"
    if not table.exists():
        raise Failed(f"exit {done.returncode}: {error(done.stderr)}")
    context.tables.append(table.read_text())
    (context.out / "peers.csv").write_bytes((context.scratch / "peers" / "peers.csv").read_bytes())
    if done.returncode:
        raise Failed("no peer trained")
    rows = [line for line in table.read_text().splitlines() if line.startswith("| ")][1:]
    left_out = sum(line.startswith("- ") for line in table.read_text().splitlines())
    return f"{len(rows)} rows" + (f", {left_out} left out" if left_out else "")


def steps(engines):
    for engine in engines:
        yield f"bench ({engine})", bench(engine), 60
    yield "bench tf32 (eager)", bench("eager", "tf32"), 60


PEERS = ("peers", peers, 170)
