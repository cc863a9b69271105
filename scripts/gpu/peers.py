"""Seconds of training on a GPU: PyTorch in four forms, JAX, and this project, for any network they all cover.

    scripts/gpu/peers.py --ours "target/release/fm-exp bench --device cuda --arch {arch} --batch-size {batch} --rounds 3 --json"
    scripts/gpu/peers.py --device cpu --images 512 --rounds 1      rehearses without a GPU

The peers' networks are what `fm-exp summary --torch` prints. All train with batch 32 and Adam with Keras' constants
on bytes that lie on the device. A peer is a process that stays: it is prepared (compiled, captured), then the peers
take turns, round by round, so that a machine that slows down slows all of them. In its turn a peer trains an epoch
that is not counted and then epochs that are, each from the shuffle to the reading of its loss. Loading and evaluation
are not timed. At the end, as far as time allows, each trains 50 epochs at one go.

Peers are prepared side by side, because a GPU's time is scarce; --one-by-one leaves the machine to each alone, which
makes what they measure for themselves (autotuning) more exact. What does not fit in --budget is left out and named.
"""

import argparse
import concurrent.futures
import csv
import datetime
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

import idx
import workers
from workers.process import PeerFailed, Worker

ROOT = pathlib.Path(__file__).resolve().parents[2]
ARCHS = ("cnn", "encoder-mlp")
IMAGES = 60_000

# Name -> what it is, framework, and how it differs from PyTorch's eager mode.
PEERS = {
    "eager": ("PyTorch eager", "pytorch", {}),
    "graph": ("PyTorch, whole steps in a CUDA graph", "pytorch", {"captured": True}),
    "graph-cl": ("PyTorch, whole steps in a CUDA graph, channels last", "pytorch", {"captured": True, "channels_last": True}),
    "compile": ("PyTorch, torch.compile max-autotune, whole steps in a CUDA graph", "pytorch", {"captured": True, "compiled": True}),
    "jax": ("JAX, an epoch in one lax.scan", "jax", {}),
}


class Peer:
    """One of PEERS with TF32 on or off, for some networks."""

    def __init__(self, name, tf32, archs):
        self.name, self.tf32, self.archs = name, tf32, archs
        self.title, self.framework, self.differs = PEERS[name]
        self.worker, self.ready, self.last = None, set(), {}

    @property
    def label(self):
        return f"{self.title}, TF32 {'on' if self.tf32 else 'off'}"

    def job(self, options):
        plain = {"captured": False, "channels_last": False, "compiled": False}
        return plain | self.differs | {
            "framework": self.framework, "tf32": self.tf32, "device": options.device, "code": options.code,
            "images": options.images, "batch": options.batch, "data_dir": str(options.data_dir), "threads": options.threads,
        }


class Ours:
    """A command that prints fm-exp bench's JSON."""

    def __init__(self, template, run, archs):
        self.template, self.run, self.archs, self.last = template, run, archs, {}
        self.tf32 = "--precision tf32" in template or "--precision=tf32" in template
        found = re.search(r"--engine[= ](\S+)", template)
        self.title = f"fm-exp, engine {found[1] if found else 'auto'}"
        self.name = "ours"

    @property
    def label(self):
        return f"{self.title}, TF32 {'on' if self.tf32 else 'off'}"


class Table:
    """All that was measured, written as it comes."""

    def __init__(self, path):
        self.file = open(path, "w", newline="")
        self.rows = csv.writer(self.file)
        self.rows.writerow(["network", "peer", "tf32", "what", "round", "epochs", "seconds"])
        self.prepared, self.epochs, self.runs, self.notes = {}, {}, {}, []

    def add(self, arch, peer, what, number, epochs, seconds):
        tf32 = "on" if peer.tf32 else "off"
        self.rows.writerow([arch, peer.title, tf32, what, number, epochs, f"{seconds:.5f}"])
        self.file.flush()
        key = arch, peer.label
        if what == "prepare":
            self.prepared[key] = seconds
        elif what == "epoch":
            self.epochs.setdefault(key, []).append(seconds)
        else:
            self.runs[key] = seconds

    def note(self, text):
        self.notes.append(text)
        print(f"peers: {text}", file=sys.stderr, flush=True)

    def markdown(self, options, turns):
        many = options.many
        head = ["network", "peer", "TF32", "prepared in, s", "s/epoch, median", "min", "max", "samples", f"{many} epochs, s", "times ours", "last loss"]
        lines = [f"| {' | '.join(head)} |", "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"]
        for arch in options.archs:
            found = [(statistics.median(self.epochs[arch, p.label]), p) for p in turns if arch in p.archs and (arch, p.label) in self.epochs]
            ours = next((median for median, p in found if isinstance(p, Ours)), None)
            for median, peer in sorted(found, key=lambda item: item[0]):
                key = arch, peer.label
                samples, run, prepared = self.epochs[key], self.runs.get(key), self.prepared.get(key)
                cells = [arch, peer.title, "on" if peer.tf32 else "off", f"{prepared:.1f}" if prepared else "–", f"{median:.4f}"]
                cells += [f"{min(samples):.4f}", f"{max(samples):.4f}", str(len(samples))]
                cells += [f"{run:.2f}" if run else f"({many * median:.1f})", f"{median / ours:.2f}" if ours else "–"]
                cells += [f"{peer.last[arch]:.4f}" if arch in peer.last else "–"]
                lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"


def our_environment(options):
    env = dict(os.environ)
    if options.torch_lib:
        env["LD_LIBRARY_PATH"] = ":".join(filter(None, [str(options.torch_lib.resolve()), env.get("LD_LIBRARY_PATH")]))
    return env


def call(text, options, limit, **places):
    """What a command of ours prints."""
    command = shlex.split(text.format(batch=options.batch, epochs=options.many, **places))
    try:
        done = subprocess.run(command, env=our_environment(options), capture_output=True, text=True, timeout=max(limit, 1))
    except subprocess.TimeoutExpired as late:
        raise PeerFailed(f"no end after {late.timeout:.0f} s") from None
    except OSError as error:
        raise PeerFailed(str(error)) from None
    if done.returncode:
        raise PeerFailed(f"exit {done.returncode}: {done.stderr.strip()[:600]}")
    return done.stdout


def prepare(peer, options, table, limit):
    """Starts a peer's process and lets it prepare every network; notes what does not work."""
    end = time.monotonic() + limit
    try:
        peer.worker = Worker(__file__, peer.job(options), options.log, end)
        peer.worker.start()
        for arch in peer.archs:
            try:
                answer = peer.worker.ask({"do": "prepare", "arch": arch}, end)
            except PeerFailed as failure:
                table.note(f"not prepared: {arch}, {peer.label}: {failure}")
                continue
            table.add(arch, peer, "prepare", "", "", answer["seconds"])
            peer.ready.add(arch)
    # Of whatever kind: one peer's trouble is not the others'.
    except Exception as failure:
        table.note(f"not prepared: {peer.label}: {failure}")


def sample(peer, arch, number, options, table, end):
    """A peer's turn."""
    try:
        if isinstance(peer, Ours):
            found = json.loads(call(peer.template, options, end - time.monotonic(), arch=arch))["results"][0]
            peer.title = f"fm-exp, engine {found['engine']}"
            seconds = found["samples"]
        else:
            peer.worker.ask({"do": "epochs", "arch": arch, "epochs": 1}, end)
            answer = peer.worker.ask({"do": "epochs", "arch": arch, "epochs": options.epochs}, end)
            seconds, peer.last[arch] = answer["seconds"], answer["loss"]
    except (PeerFailed, KeyError, ValueError) as failure:
        table.note(f"{arch}, {peer.label}, round {number}: {failure}")
        if isinstance(failure, PeerFailed) and not isinstance(peer, Ours):
            peer.ready.discard(arch)
        return
    for value in seconds:
        table.add(arch, peer, "epoch", number, 1, value)
    print(f"peers: round {number}, {arch}, {peer.label}: {statistics.median(seconds):.4f} s/epoch", file=sys.stderr, flush=True)


def take_turns(turns, options, table, end):
    """Round by round, until there are enough or time is out."""
    for number in range(1, options.rounds + 1):
        for arch in options.archs:
            for peer in turns:
                if time.monotonic() > end - 1:
                    table.note(f"ended within round {number}, {arch}, before {peer.label}: no time left of {options.budget:.0f} s")
                    return
                if isinstance(peer, Ours) or arch in peer.ready:
                    sample(peer, arch, number, options, table, end)


def long_runs(turns, options, table, end):
    """Fifty epochs at one go, the fastest peers first, as far as time allows."""
    order = []
    for arch in options.archs:
        order += [(statistics.median(table.epochs[arch, p.label]), arch, p) for p in turns if arch in p.archs and (arch, p.label) in table.epochs]
    for median, arch, peer in sorted(order, key=lambda item: item[0]):
        if 1.1 * options.many * median > end - time.monotonic():
            continue
        try:
            if not isinstance(peer, Ours):
                answer = peer.worker.ask({"do": "epochs", "arch": arch, "epochs": options.many}, end)
                table.add(arch, peer, "run", "", options.many, answer["total"])
                peer.last[arch] = answer["loss"]
            elif peer.run:
                with tempfile.TemporaryDirectory() as scratch:
                    text = call(peer.run, options, end - time.monotonic(), arch=arch, scratch=scratch)
                table.add(arch, peer, "run", "", options.many, json.loads(text)["train_seconds"])
        except (PeerFailed, KeyError, ValueError) as failure:
            table.note(f"{options.many} epochs of {arch}, {peer.label}: {failure}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to rehearse")
    parser.add_argument("--data-dir", type=pathlib.Path, help="where Fashion-MNIST's IDX files are, gzipped or not")
    parser.add_argument("--arch", dest="archs", action="append", metavar="NETWORK", help="may be repeated [cnn, encoder-mlp]")
    parser.add_argument("--peer", dest="peers", action="append", choices=PEERS, help="may be repeated [all]")
    parser.add_argument("--tf32", choices=("on", "off", "both"), default="both", help="the peers' TF32 [both]")
    parser.add_argument("--ours", action="append", default=[], metavar="COMMAND",
                        help="prints fm-exp bench's JSON; {arch} and {batch} are filled in; may be repeated, ratios are to the first")
    parser.add_argument("--ours-run", action="append", default=[], metavar="COMMAND",
                        help="trains {epochs} epochs into {scratch} and prints fm-exp train's JSON; one for each --ours, in their order")
    parser.add_argument("--fm-exp", default=str(ROOT / "target/release/fm-exp"), help="prints the peers' networks")
    parser.add_argument("--torch-lib", type=pathlib.Path, help="libtorch's lib folder for fm-exp, where its own is not there")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3, help="epochs that count in a peer's turn [3]")
    parser.add_argument("--many", type=int, default=50, help="epochs of the run at one go [50]")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--images", type=int, default=IMAGES, help="train on the first N alone, to rehearse")
    parser.add_argument("--threads", type=int, default=4, help="CPU threads of a peer's process [4]")
    parser.add_argument("--budget", type=float, default=150, help="seconds for everything [150]")
    parser.add_argument("--prepare", type=float, default=80, help="seconds of them for preparing [80]")
    parser.add_argument("--one-by-one", action="store_true", help="prepare one peer after the other")
    parser.add_argument("--out", type=pathlib.Path, help="folder to write to [results/gpu-<date>-peers]")
    options = parser.parse_args()
    for name in ("rounds", "epochs", "many", "batch", "images", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    if len(options.ours_run) not in (0, len(options.ours)):
        parser.error("--ours-run: one for each --ours, or none")
    if options.images % options.batch:
        parser.error("--images must be a multiple of --batch: every peer's steps are whole")
    given, options.data_dir = options.data_dir, idx.find(options.data_dir)
    if options.data_dir is None:
        parser.error(f"Fashion-MNIST is not in {given or ' or '.join(idx.PLACES)}: give --data-dir")
    options.archs = options.archs or list(ARCHS)
    options.out = options.out or ROOT / f"results/gpu-{datetime.date.today().isoformat()}-peers"
    return options


def generated(options):
    """Each network's PyTorch code, as fm-exp prints it."""
    command = shlex.quote(options.fm_exp) + " summary --arch {arch} --torch"
    return {arch: call(command, options, 60, arch=arch) for arch in options.archs}


def main():
    if sys.argv[1:] == ["--worker"]:
        return workers.serve()
    options = arguments()
    begin = time.monotonic()
    end = begin + options.budget
    options.out.mkdir(parents=True, exist_ok=True)
    table = Table(options.out / "peers.csv")
    try:
        options.code = generated(options)
    except PeerFailed as failure:
        sys.exit(f"peers: error: {options.fm_exp} cannot print the networks: {failure}")
    precisions = {"on": [True], "off": [False], "both": [False, True]}[options.tf32]
    # Compiling takes longest: a process for each network.
    groups = lambda name: [[arch] for arch in options.archs] if name == "compile" else [options.archs]
    peers = [Peer(name, tf32, archs) for tf32 in precisions for name in options.peers or PEERS for archs in groups(name)]
    with tempfile.TemporaryFile("w+") as options.log:
        try:
            limit = min(options.prepare, options.budget)
            with concurrent.futures.ThreadPoolExecutor(1 if options.one_by_one else len(peers)) as pool:
                until = time.monotonic() + limit
                for peer in peers:
                    pool.submit(lambda p: prepare(p, options, table, until - time.monotonic()), peer)
            runs = options.ours_run or [None] * len(options.ours)
            turns = [*(Ours(*commands, options.archs) for commands in zip(options.ours, runs)), *peers]
            take_turns(turns, options, table, end)
            long_runs(turns, options, table, end)
        finally:
            for peer in peers:
                if peer.worker:
                    peer.worker.stop()
        options.log.seek(0)
        errors = options.log.read()
    if table.notes and errors:
        print(f"peers: what the peers' processes said last:\n{errors[-4000:]}", file=sys.stderr)
    write(options, table, turns, begin)
    return 0 if any(table.epochs) else 1


def write(options, table, turns, begin):
    about = sorted({peer.worker.about for peer in turns if getattr(peer, "worker", None) and peer.worker.about})
    text = f"Seconds of training, batch {options.batch}, an epoch of {options.images:,} images, {options.rounds} rounds of "
    text += f"{options.epochs} epochs a peer; {'; '.join(about)}; Python {platform.python_version()}. In brackets: {options.many} times the median. "
    text += "Without a GPU there are no graphs: steps ran one by one. " if options.device == "cpu" else ""
    text += f"Peers were prepared {'one by one' if options.one_by_one else 'side by side'}. {time.monotonic() - begin:.0f} s in all.\n\n"
    text += table.markdown(options, turns)
    text += "".join(f"\n- {line.splitlines()[0][:300]}" for line in table.notes) + ("\n" if table.notes else "")
    (options.out / "peers.md").write_text(text)
    print(text)


if __name__ == "__main__":
    sys.exit(main())
