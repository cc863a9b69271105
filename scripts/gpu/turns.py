"""How peers.py measures: it prepares the peers, gives each its turn, and at the end lets each train many epochs."""

import concurrent.futures
import json
import pathlib
import statistics
import sys
import tempfile
import time

from contenders import Ours, call
from workers.process import PeerFailed, Worker

PROGRAM = pathlib.Path(__file__).with_name("peers.py")
# Share of the time that is kept for the long runs, and seconds below which no further peers are prepared.
LAST, LEAST = 0.15, 15


def prepare_all(peers, options, table, limit):
    """Side by side, except for those that compile longest: they measure for themselves, when the others are done."""
    until = time.monotonic() + limit
    compiled = lambda tf32: [peer for peer in peers if peer.name == "compile" and peer.tf32 == tf32]
    groups = [[peer for peer in peers if peer.name != "compile"], compiled(False), compiled(True)]
    for number, group in enumerate(filter(None, groups)):
        if number > 0 and until - time.monotonic() < LEAST:
            for peer in group:
                table.note(f"not prepared: {', '.join(peer.archs)}, {peer.label}: no time left of {limit:.0f} s")
            continue
        with concurrent.futures.ThreadPoolExecutor(1 if options.one_by_one else len(group)) as pool:
            for peer in group:
                pool.submit(prepare, peer, options, table, until)


def prepare(peer, options, table, end):
    """Starts a peer's process and lets it prepare every network; notes what does not work."""
    try:
        peer.worker = Worker(PROGRAM, peer.job(options), options.log, end)
        peer.worker.start()
        for arch in peer.archs:
            try:
                answer = peer.worker.ask({"do": "prepare", "arch": arch}, end)
            except PeerFailed as failure:
                table.note(f"not prepared: {arch}, {peer.label}: {failure}")
                continue
            table.add(arch, peer, "prepare", "", "", answer["seconds"])
            peer.ready.add(arch)
            peer.takes[arch] = answer["epoch"]
    # Of whatever kind: one peer's trouble is not the others'.
    except Exception as failure:
        table.note(f"not prepared: {peer.label}: {failure}")


def sample(peer, arch, number, options, table, end):
    """A turn: an epoch that does not count and some that do, or one alone where an epoch takes longer than a turn."""
    try:
        if isinstance(peer, Ours):
            found = json.loads(call(peer.template, options, end - time.monotonic(), arch=arch))["results"][0]
            peer.title = f"fm-exp, engine {found['engine']}"
            seconds = found["samples"]
        else:
            epochs = options.epochs
            if (epochs + 1) * peer.takes[arch] <= options.turn:
                peer.worker.ask({"do": "epochs", "arch": arch, "epochs": 1}, end)
            else:
                epochs = max(int(options.turn / peer.takes[arch]), 1)
            answer = peer.worker.ask({"do": "epochs", "arch": arch, "epochs": epochs}, end)
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
