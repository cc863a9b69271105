"""The command line of scripts/gpu/check.sh, and the table at its end."""

import argparse
import datetime
import lzma
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from . import agreement, behaviour, beside, machine, runs, speed, tools
from .context import Context, Failed, Skipped

ROOT = pathlib.Path(__file__).resolve().parents[3]


def steps(options):
    """Name, function and most seconds of every step, what matters most first."""
    if options.profile:
        return [*machine.STEPS, *tools.profiles(options.engines)]
    engines = options.engines
    parts = [part.steps(engines) for part in (agreement, behaviour, tools, beside, speed)]
    whole = list(runs.steps(engines))
    # libtorch's whole runs take minutes: after everything else.
    late = [step for step, engine in zip(whole, engines) if engine == "eager"]
    early = [step for step in whole if step not in late]
    return [*machine.STEPS, *(step for part in parts for step in part), *early, speed.PEERS, *late]


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/gpu/check.sh", description="Shows what works on this machine's GPU, and how fast.")
    parser.add_argument("--binary", type=pathlib.Path, help="the program [target/release/fm-exp]")
    parser.add_argument("--pack", type=pathlib.Path, help="the folder that scripts/gpu/pack.sh made: program and data from there")
    parser.add_argument("--torch-lib", type=pathlib.Path, help="libtorch's lib folder [the program's own, else the installed PyTorch's]")
    parser.add_argument("--data-dir", type=pathlib.Path, help="the data set's four files; found by itself otherwise")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu to rehearse [cuda]")
    parser.add_argument("--engine", dest="engines", action="append", help="may be repeated, the fastest first [cuda, eager; on the CPU fused]")
    parser.add_argument("--only", action="append", default=[], metavar="STEP", help="steps whose names begin so; may be repeated")
    parser.add_argument("--skip", action="append", default=[], metavar="STEP", help="leaves out steps whose names begin so")
    parser.add_argument("--list", action="store_true", help="print the steps and stop")
    parser.add_argument("--profile", action="store_true", help="Nsight Compute on the training kernels instead")
    parser.add_argument("--minutes", type=float, default=10, help="when no further step starts, and the running one ends [10]")
    parser.add_argument("--images", type=int, default=60_000, help="train on the first N alone, to rehearse")
    parser.add_argument("--epochs", type=int, default=50, help="of the whole runs [50]")
    parser.add_argument("--peer", action="append", default=[], help="as of peers.py")
    parser.add_argument("--peers-budget", type=float, default=150, help="seconds for the peers [150]")
    parser.add_argument("--out", type=pathlib.Path, help="folder to write to [results/gpu-<date>-<gpu>]")
    options = parser.parse_args()
    # Steps run elsewhere.
    for name in ("torch_lib", "data_dir", "out", "pack"):
        setattr(options, name, getattr(options, name) and getattr(options, name).absolute())
    options.engines = options.engines or (["cuda", "eager"] if options.device != "cpu" else ["fused"])
    if options.images % 32 or not 32 <= options.images <= 60_000:
        parser.error("--images must be a multiple of 32 up to 60000")
    if options.pack and not (options.pack / "fm-exp.xz").exists():
        parser.error(f"no fm-exp.xz in {options.pack}; scripts/gpu/pack.sh makes it")
    if options.pack and not options.binary:
        options.data_dir = options.data_dir or options.pack / "data"
    elif not options.list:
        options.binary = options.binary or pathlib.Path("target/release/fm-exp")
        if not options.binary.exists():
            parser.error(f"no {options.binary}; cargo build --release -p fm-exp, or --binary PATH, or --pack DIR")
        options.binary = options.binary.resolve()
    return options


def unpacked(pack, scratch):
    """The program of a pack."""
    path = scratch / "fm-exp"
    with lzma.open(pack / "fm-exp.xz") as packed, open(path, "wb") as file:
        shutil.copyfileobj(packed, file)
    path.chmod(0o755)
    return path


def starts(binary, lib=None):
    """Whether the program finds its libraries."""
    path = os.environ.get("LD_LIBRARY_PATH")
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(filter(None, [lib and str(lib), path]))} if lib else None
    done = subprocess.run([binary, "--version"], env=environment, capture_output=True, text=True)
    return done.returncode == 0, done.stderr.strip()


def find_libtorch(options):
    """Sets the folder of libtorch where the program needs to be told."""
    if options.torch_lib:
        return
    is_fine, why = starts(options.binary)
    if is_fine:
        return
    options.torch_lib = machine.torch_lib()
    if not options.torch_lib or not starts(options.binary, options.torch_lib)[0]:
        sys.exit(f"check: error: the program does not start: {why}\n  help: --torch-lib DIR, the lib folder of libtorch 2.11.0")


def chosen(options):
    begins = lambda name, words: any(name.startswith(word) for word in words)
    every = steps(options)
    for word in [*options.only, *options.skip]:
        if not any(name.startswith(word) for name, _, _ in every):
            sys.exit(f"check: error: no step's name begins with '{word}'\n  help: --list shows them")
    return [s for s in every if (not options.only or begins(s[0], options.only)) and not begins(s[0], options.skip)]


def perform(context, name, step, limit, until):
    """A step's verdict, what it found, and its seconds."""
    begin = time.monotonic()
    context.end = min(begin + limit, until)
    context.say(f"\n== {name}")
    if context.left() < 3:
        return "skipped", "no time left", 0
    try:
        verdict, found = "ok", step(context)
    except Failed as failure:
        verdict, found = "FAILED", str(failure)
    except Skipped as reason:
        verdict, found = "skipped", str(reason)
    # A mistake in a step stops no other.
    except Exception as mistake:
        import traceback

        context.say(traceback.format_exc())
        verdict, found = "FAILED", f"{type(mistake).__name__}: {mistake}"
    context.forget()
    return verdict, " ".join(found.split()), time.monotonic() - begin


def report(context, rows, command, begin):
    counts = {verdict: sum(row[0] == verdict for row in rows) for verdict in ("ok", "FAILED", "skipped")}
    counted = f"{counts['ok']} of {len(rows)} steps passed, {counts['FAILED']} failed, {counts['skipped']} skipped"
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    text = f"# {context.title}\n{today}, `{command}`: {counted}, {time.monotonic() - begin:.0f} s.\n\n"
    text += "| | step | took | found |\n|---|---|--:|---|\n"
    for verdict, name, seconds, found in rows:
        text += f"| {verdict} | {name} | {seconds:.1f} s | {found[:600].replace('|', '/')} |\n"
    text += "".join(f"\n{table}" for table in context.tables)
    (context.out / "README.md").write_text(text)
    return counts["FAILED"], text


def main():
    begin = time.monotonic()
    options = arguments()
    wanted = chosen(options)
    if options.list:
        print("\n".join(f"{limit:>4} s  {name}" for name, _, limit in wanted))
        return 0
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="fm-exp-check-"))
    try:
        if not options.binary:
            options.binary = unpacked(options.pack, scratch)
        find_libtorch(options)
        name = machine.gpu_name(options.device)
        out = options.out or ROOT / f"results/gpu-{datetime.date.today().isoformat()}-{name}"
        out.mkdir(parents=True, exist_ok=True)
        context = Context(options, scratch, out)
        context.title = name
        rows = []
        for name, step, limit in wanted:
            verdict, found, seconds = perform(context, name, step, limit, begin + 60 * options.minutes - 5)
            rows.append((verdict, name, seconds, found))
            print(f"{verdict:<8}{seconds:>6.1f} s  {name}: {found[:300]}", flush=True)
            # Whatever happens next, what was found so far is there.
            failures, text = report(context, rows, "scripts/gpu/check.sh " + " ".join(sys.argv[1:]), begin)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"\n{text}\ncheck: wrote {context.out}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
