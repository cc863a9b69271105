"""Seeds side by side, as a sweep trains them: each with the bits of a run by itself, and how many runs an hour that makes."""

import json
import time

from .behaviour import sha256
from .context import Failed

# Of a rehearsal fewer: an emulation takes its time.
SEEDS, REHEARSED = 16, 2


def beside(engine, arch, epochs):
    def step(context):
        count, device = epochs or context.options.epochs, context.device
        seeds = SEEDS if context.whole else REHEARSED
        data = context.data() or (["--data-dir", str(context.data_dir)] if context.data_dir else [])
        flags = ["--arch", arch, "--epochs", str(count), "--protocol", "notebook"]
        sweep = [str(context.options.binary), "sweep"]
        plan = context.scratch / f"plan-{arch}.json"
        keys = ["--seeds", f"0..{seeds - 1}", "--set", f"device={device}", "--set", f"engine={engine}"]
        done = context.run([*sweep, "plan", *data, *flags, *keys, "--out", plan, "--quiet"], may_fail=True)
        context.covered(done, engine)
        if done.returncode:
            raise Failed(f"exit {done.returncode}: {done.stderr.strip()[-600:]}")
        begin = time.monotonic()
        context.run([*sweep, "run", "--plan", plan, "--out", context.scratch / "runs", "--beside", seeds, "--quiet"])
        seconds = time.monotonic() - begin
        runs = json.loads(plan.read_text())["runs"]
        for run in (runs[0], runs[-1]):
            seed = str(run["flags"].get("seed", 0))
            context.train("alone", *flags, "--seed", seed, "--overwrite", *context.data(), engine=engine)
            if sha256(context, run["name"]) != sha256(context, "alone"):
                raise Failed(f"weights of seed {seed} are not those of the run by itself")
        hour = f", {3600 / seconds * seeds:.0f} such runs an hour" if not epochs else ""
        return f"{seeds} runs of {count} epochs in {seconds:.1f} s{hour}; two of them as by themselves"

    return step


def steps(engines):
    for engine in [engine for engine in engines if engine != "eager"][:1]:
        yield f"side by side encoder-mlp ({engine})", beside(engine, "encoder-mlp", 2), 60
        yield f"side by side cnn ({engine})", beside(engine, "cnn", None), 120
