"""Seconds per training epoch on the CPU: Keras, PyTorch in four forms, and this project, for any network.

The peers' models are what `fm-exp summary --torch` and `--keras` print for the network.

Every sample comes from a process of its own, and the peers take turns, round by round, so that a machine
that slows down slows all of them. A process loads the data, trains some steps to warm up (compilation, thread
pools, allocators), then times one epoch: the shuffle, the batches' gathering, the forward and backward
passes, Adam, and the running loss and accuracy. Loading and evaluation are not timed. With --steps N, only
N steps are timed and scaled to an epoch's.

The machine has to be quiet. PyTorch's OpenMP threads spin while they wait for each other, and where something
else takes a core from one of them, a step takes ten times as long. The load before the start is in the result.
"""

import argparse
import csv
import datetime
import gzip
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA_DIRS = ("data/fashion-mnist", "/usr/share/datasets/fashion-mnist")
ARCHS = ("cnn", "encoder-mlp")
IMAGES, SIDE = 60_000, 28

PEERS = {
    "keras": "Keras: compile() and fit()",
    "pytorch": "PyTorch eager, fused Adam",
    "pytorch-cl": "PyTorch eager, channels last",
    "pytorch-compile": "PyTorch torch.compile",
    "pytorch-cl-crop": "PyTorch eager, channels last, image cut to what the network sees",
}


# --- one sample, in a process of its own --------------------------------------------------------------


def read_idx(path, header):
    import numpy as np

    open_file = gzip.open if path.suffix == ".gz" else open
    with open_file(path, "rb") as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def read_train(folder):
    """Training images [60000, 28, 28] and labels, as bytes."""
    found = {}
    for stem, header in (("train-images-idx3-ubyte", 16), ("train-labels-idx1-ubyte", 8)):
        path = next(p for p in (folder / f"{stem}.gz", folder / stem) if p.exists())
        found[stem] = read_idx(path, header)
    images, labels = found.values()
    return images.reshape(IMAGES, 28, 28), labels


def code(folder, kind):
    """The names that the generated code of a model defines."""
    names = {"__name__": kind}
    exec(compile((folder / f"{kind}.py").read_text(), kind, "exec"), names)
    return names


def time_keras(options):
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras
    import tensorflow as tf
    from keras import layers

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    images, labels = read_train(options.data_dir)
    images = images[..., None].astype("float32") / 255
    labels = keras.utils.to_categorical(labels, 10)

    model = code(options.code, "keras")["model"]()
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds = time.perf_counter() - self.start

    def fit(steps):
        clock, count = Clock(), min(steps * options.batch, IMAGES)
        model.fit(images[:count], labels[:count], batch_size=options.batch, epochs=1, shuffle=True, verbose=0, callbacks=[clock])
        return clock.seconds

    fit(options.warmup)
    return fit(options.steps)


def time_pytorch(options):
    import torch
    from torch import nn

    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    last = "-cl" in options.peer
    images, labels = read_train(options.data_dir)
    images = torch.tensor(images).unsqueeze(1).float() / 255
    labels = torch.tensor(labels).long()
    if options.peer.endswith("-crop"):
        rows, columns = options.sees
        images = images[:, :, :rows, :columns].contiguous()
    model = code(options.code, "crop" if options.peer.endswith("-crop") else "torch")["Net"]()
    if last:
        model, images = model.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    run = torch.compile(model) if options.peer == "pytorch-compile" else model

    def train(steps):
        start = time.perf_counter()
        order = torch.randperm(IMAGES)
        total, correct = torch.zeros(()), torch.zeros((), dtype=torch.long)
        for step in range(steps):
            index = order[step * options.batch : (step + 1) * options.batch]
            x, y = images[index], labels[index]
            logits = run(x)
            loss = nn.functional.cross_entropy(logits, y)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.detach()
            correct += (logits.detach().argmax(1) == y).sum()
        assert total.isfinite() and correct >= 0
        return time.perf_counter() - start

    train(options.warmup)
    return train(options.steps)


def worker(options):
    timer = time_keras if options.peer == "keras" else time_pytorch
    print(json.dumps({"seconds": timer(options), "steps": options.steps}))


# --- all of them --------------------------------------------------------------------------------------


def last_json(text):
    return json.loads([line for line in text.splitlines() if line.startswith("{")][-1])


def parse_ours(text):
    """`fm-exp bench --json`'s output -> engine and seconds per epoch of every sample."""
    found = json.loads(text)["results"][0]
    return found["engine"], found["samples"]


def call(command, options):
    env = os.environ | {"OMP_NUM_THREADS": str(options.threads), "MKL_NUM_THREADS": str(options.threads)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"exit status {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def sample_peer(peer, arch, options):
    command = [sys.executable, __file__, "--worker", "--peer", peer, "--arch", arch, "--threads", str(options.threads)]
    command += ["--steps", str(options.steps), "--warmup", str(options.warmup), "--data-dir", str(options.data_dir)]
    command += ["--batch", str(options.batch), "--code", str(options.codes[arch]), "--sees", *map(str, options.seen[arch])]
    found = last_json(call(command, options))
    return PEERS[peer], [found["seconds"] * options.epoch_steps / found["steps"]]


def refuse_changed(said, options):
    """Published seconds are those of a revision: ends where the program was built from changed sources."""
    if options.out is None and json.loads(said).get("sources_changed"):
        sys.exit("peers: error: the program was built from sources that differ from their commit\n"
                 "  help: FM_BUILD_REVISION=$(git rev-parse HEAD) cargo build --release -p fm-exp, or give --out")


def sample_ours(template, arch, options):
    text = template.format(arch=arch, threads=options.threads, batch=options.batch)
    said = call(shlex.split(text), options)
    refuse_changed(said, options)
    engine, seconds = parse_ours(said)
    return f"fm-exp, {engine} engine", seconds


def cpu_model():
    text = pathlib.Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def cpu_flags():
    text = pathlib.Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""
    found = re.search(r"^flags\s*:\s*(.+)$", text, re.MULTILINE)
    return " ".join(f for f in (found[1].split() if found else []) if re.match(r"avx|amx|fma|sse4", f))


def generated(arch, options, folder):
    """Writes the peers' code for a network, and gives the rows and columns of the image that it sees."""
    def summary(arch, *flags):
        command = [str(options.fm_exp), "summary", "--arch", arch, *flags]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    folder.mkdir(parents=True)
    seen = json.loads(summary(arch, "--json"))["sees"]
    (folder / "torch.py").write_text(summary(arch, "--torch"))
    (folder / "keras.py").write_text(summary(arch, "--keras"))
    if seen != [SIDE, SIDE]:
        (folder / "crop.py").write_text(summary(f"{arch}@{seen[0]}x{seen[1]}", "--torch"))
    return seen


def output(*command):
    try:
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def environment(options, command):
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    lines = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "command": command,
        "cpu": cpu_model(),
        "cpu flags": cpu_flags(),
        "cores": f"{os.cpu_count()}, {len(os.sched_getaffinity(0))} of them for this process",
        "memory": f"{int(memory[1]) / 2**20:.0f} GiB",
        "load average at the start": " ".join(f"{x:.2f}" for x in os.getloadavg()),
        "system": f"{platform.system()} {platform.release()}, {platform.libc_ver()[0]} {platform.libc_ver()[1]}",
        "python": platform.python_version(),
        "compiler": output("cc", "--version").splitlines()[0],
        "rustc": output("rustc", "--version"),
        "commit": output("git", "describe", "--always", "--dirty", "--abbrev=40"),
        "threads": options.threads,
        "batch": options.batch,
    }
    for package in ("torch", "keras", "tensorflow-cpu", "numpy"):
        try:
            lines[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            lines[package] = "not installed"
    return "".join(f"{name}: {value}\n" for name, value in lines.items())


def table(samples, first_ours, options):
    """Rows of (arch, peer, median, min, max, samples, ratio)."""
    lines = ["| network | peer | median, s/epoch | min | max | samples | times ours |", "|---|---|--:|--:|--:|--:|--:|"]
    for arch in options.archs:
        of_arch = {peer: seconds for (a, peer), seconds in samples.items() if a == arch}
        ours = statistics.median(of_arch[first_ours]) if first_ours in of_arch else None
        for peer, seconds in sorted(of_arch.items(), key=lambda item: statistics.median(item[1])):
            median = statistics.median(seconds)
            ratio = f"{median / ours:.2f}" if ours else "–"
            lines.append(f"| {arch} | {peer} | {median:.2f} | {min(seconds):.2f} | {max(seconds):.2f} | {len(seconds)} | {ratio} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=pathlib.Path, help="where Fashion-MNIST's IDX files are, gzipped or not")
    parser.add_argument("--arch", dest="archs", action="append", metavar="NETWORK",
                        help="any string of the notation; may be repeated; cnn and encoder-mlp if not given")
    parser.add_argument("--peer", dest="peers", action="append", choices=PEERS, help="may be repeated; all if not given")
    parser.add_argument("--ours", action="append", default=[], metavar="COMMAND",
                        help="command that prints fm-exp bench's JSON; {arch}, {threads} and {batch} are filled in; may be repeated, ratios are to the first")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32, help="images in a step")
    parser.add_argument("--fm-exp", type=pathlib.Path, default=ROOT / "target/release/fm-exp", help="prints the peers' models")
    parser.add_argument("--steps", type=int, help="steps to time, scaled to an epoch [all of an epoch's]")
    parser.add_argument("--warmup", type=int, default=100, help="steps before them")
    parser.add_argument("--out", type=pathlib.Path, help="folder to write to instead of results/bench-<date>-<cpu>")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--code", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--sees", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.epoch_steps = -(-IMAGES // max(options.batch, 1))
    if options.steps is None:
        options.steps = options.epoch_steps
    for name in ("threads", "rounds", "steps", "warmup", "batch"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    if max(options.steps, options.warmup) > options.epoch_steps:
        parser.error(f"an epoch has {options.epoch_steps} steps")
    if options.worker:
        (options.peer,), (options.arch,) = options.peers, options.archs
        return worker(options)

    os.chdir(ROOT)
    if options.data_dir is None:
        options.data_dir = next((pathlib.Path(d) for d in DATA_DIRS if any(pathlib.Path(d).glob("train-images-idx3-ubyte*"))), None)
        if options.data_dir is None:
            parser.error(f"Fashion-MNIST is in none of {', '.join(DATA_DIRS)}: give --data-dir")
    elif not any(options.data_dir.glob("train-images-idx3-ubyte*")):
        parser.error(f"no train-images-idx3-ubyte.gz in {options.data_dir}")
    options.archs = options.archs or list(ARCHS)
    options.peers = options.peers or list(PEERS)
    changes = output("git", "status", "--porcelain")
    if options.out is None and changes:
        shown = "\n".join(f"  note: {line}" for line in changes.splitlines()[:5])
        sys.exit(f"peers: error: {'no revision is known here' if changes == 'unknown' else 'the tree differs from its commit'}\n{shown}\n"
                 "  help: commit first: what is published names its revision; or measure into another folder with --out")
    date = datetime.date.today().isoformat()
    slug = re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", cpu_model().lower())).strip("-")
    out = options.out or pathlib.Path(f"results/bench-{date}-{slug}")
    command = "scripts/bench/peers.sh " + shlex.join(sys.argv[1:]).replace(f"{ROOT}/", "")
    out.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"peers: warning: something else is running (load {load:.1f}): these timings will mean little", file=sys.stderr)
    (out / "environment.txt").write_text(environment(options, command))

    codes = tempfile.TemporaryDirectory()
    options.codes = {arch: pathlib.Path(codes.name) / str(number) for number, arch in enumerate(options.archs)}
    options.seen = {arch: generated(arch, options, folder) for arch, folder in options.codes.items()}
    turns = [(sample_ours, template) for template in options.ours] + [(sample_peer, peer) for peer in options.peers]
    samples, failures, first_ours = {}, [], None
    with open(out / "peers.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["round", "arch", "peer", "threads", "steps_timed", "seconds_per_epoch"])
        for number in range(1, options.rounds + 1):
            for arch in options.archs:
                for sample, what in turns:
                    if str(what).endswith("-crop") and options.seen[arch] == [SIDE, SIDE]:
                        continue
                    try:
                        peer, found = sample(what, arch, options)
                    except Exception as error:
                        failures.append(f"{what}, {arch}, round {number}: {error}")
                        print(f"peers: error: {failures[-1]}", file=sys.stderr)
                        continue
                    if sample is sample_ours:
                        first_ours = first_ours or (peer if what == options.ours[0] else None)
                    samples.setdefault((arch, peer), []).extend(found)
                    for seconds in found:
                        steps = "" if sample is sample_ours else options.steps
                        rows.writerow([number, arch, peer, options.threads, steps, f"{seconds:.4f}"])
                    file.flush()
                    print(f"peers: round {number}, {arch}, {peer}: {statistics.median(found):.2f} s/epoch", file=sys.stderr)

    timed = "a whole epoch" if options.steps == options.epoch_steps else f"{options.steps:,} of an epoch's {options.epoch_steps:,} steps, scaled to the epoch"
    text = f"Seconds per training epoch on {cpu_model()}, {options.threads} threads, batch {options.batch}, float32; rounds: {options.rounds}; "
    text += f"peers timed over {timed}, after {options.warmup} steps to warm up. Loading and evaluation apart. Load before the start: {load:.1f}. `{command}`\n\n"
    text += table(samples, first_ours, options)
    if failures:
        text += f"\n{len(failures)} samples failed: " + "; ".join(f.splitlines()[0][:200] for f in failures) + "\n"
    (out / "peers.md").write_text(text)
    print(text)
    print(f"peers: wrote {out}/peers.md, peers.csv, environment.txt", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
