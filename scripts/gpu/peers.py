"""Seconds of training on a GPU: PyTorch in four forms, JAX, and this project, for any network they all cover.

    scripts/gpu/peers.py --ours "target/release/fm-exp bench --device cuda --arch {arch} --batch-size {batch} --rounds 3 --json"
    scripts/gpu/peers.py --device cpu --images 512 --rounds 1      rehearses without a GPU

The peers' networks are what `fm-exp summary --torch` prints. All train with batch 32 and Adam with Keras' constants
on bytes that lie on the device. A peer is a process that stays: it is prepared (compiled, captured), then the peers
take turns, round by round, so that a machine that slows down slows all of them. In its turn a peer trains an epoch
that is not counted and then epochs that are, each from the shuffle to the reading of its loss; a slow one trains an
epoch that counts. Loading and evaluation are not timed. At the end, as far as time allows, each trains 50 epochs at one
go.

Peers are prepared side by side, because a GPU's time is scarce, and those that are compiled by max-autotune after the
others; --one-by-one leaves the machine to each alone, which makes what they measure for themselves (autotuning) more
exact. What does not fit in --budget is left out and named.
"""

import argparse
import datetime
import pathlib
import platform
import shlex
import sys
import tempfile
import time

import idx
import workers
from contenders import PEERS, Ours, Peer, call
from timings import Table
from turns import LAST, long_runs, prepare_all, take_turns
from workers.process import PeerFailed

ROOT = pathlib.Path(__file__).resolve().parents[2]
ARCHS = ("cnn", "encoder-mlp")
IMAGES = 60_000


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
    parser.add_argument("--turn", type=float, default=4, help="seconds of a peer's turn, at least an epoch's [4]")
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
            prepare_all(peers, options, table, min(options.prepare, options.budget))
            runs = options.ours_run or [None] * len(options.ours)
            ours = [Ours(*commands, options.archs) for commands in zip(options.ours, runs)]
            take_turns([*ours, *peers], options, table, end - LAST * options.budget)
            long_runs([*ours, *peers], options, table, end)
        finally:
            for peer in peers:
                if peer.worker:
                    peer.worker.stop()
        options.log.seek(0)
        errors = options.log.read()
    if table.notes and errors:
        print(f"peers: what the peers' processes said last:\n{errors[-4000:]}", file=sys.stderr)
    write(options, table, [*ours, *peers], begin)
    return 0 if any(table.epochs) else 1


def write(options, table, turns, begin):
    about = sorted({peer.worker.about for peer in turns if getattr(peer, "worker", None) and peer.worker.about})
    text = f"Seconds of training, batch {options.batch}, an epoch of {options.images:,} images, {options.rounds} rounds of "
    text += f"at most {options.epochs} epochs a peer; {'; '.join(about)}; Python {platform.python_version()}. In brackets: {options.many} times the median. "
    text += "Without a GPU there are no graphs: steps ran one by one. " if options.device == "cpu" else ""
    text += f"Peers were prepared {'one by one' if options.one_by_one else 'side by side'}. {time.monotonic() - begin:.0f} s in all.\n\n"
    text += table.markdown(options, turns)
    text += "".join(f"\n- {line.splitlines()[0][:300]}" for line in table.notes) + ("\n" if table.notes else "")
    (options.out / "peers.md").write_text(text)
    print(text)


if __name__ == "__main__":
    sys.exit(main())
