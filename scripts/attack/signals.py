"""Runs and sweeps that get signals at random moments, resumed until they are done: bytes equal to uninterrupted ones."""

import json
import os
import signal
import subprocess
import time

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


def start(a, args):
    return subprocess.Popen([a.exe, *map(str, args)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, start_new_session=True, cwd=a.place)


def driven(a, args, most, group=False):
    """Starts again and again with a signal each time, the last time without; the last one's code and words."""
    for attempt in range(most + 1):
        process = start(a, args)
        if attempt < most:
            time.sleep(a.random.uniform(0.02, 1.2))
            one = a.random.choice(SIGNALS)
            try:
                (os.killpg if group else os.kill)(process.pid, one)
            except ProcessLookupError:
                pass
        err = process.communicate(timeout=240)[1].decode(errors="replace")
        if process.returncode == 101 or "panicked" in err:
            return 101, err
    return process.returncode, err


def same(a, one, other):
    files = ["model.safetensors", "predictions.csv", "confusion.csv", "per_class.csv"]
    return [name for name in files if (one / name).read_bytes() != (other / name).read_bytes()]


def attack(a, area):
    recipes = [["--arch", "encoder-mlp"], ["--arch", "encoder-mlp", "--encoder", "frozen", "--pretrain", "autoencoder", "--pretrain-epochs", 2]]
    for recipe in recipes:
        base = ["--dataset", a.data, "--device", "cpu", "--threads", 1, "--epochs", 12, "--batch-size", 4, "-q", *recipe]
        whole = a.path()
        a.check(area, "uninterrupted", a.run([*base, "--out", whole, "--name", "r"]), 0)
        for _ in range(1 if a.short else 8):
            out = a.path()
            code, err = driven(a, [*base, "--out", out, "--name", "r", "--resume"], 3 if a.short else 6)
            wrong = [] if code == 0 else [f"exit {code}: {err[-200:]}"]
            a.note(area, "interrupted run", wrong or same(a, whole / "r", out / "r"))
    if a.short:
        return
    ran = a.run(["sweep", "plan", "--arch", "encoder-mlp", "--seeds", "0..3", "--epochs", "6", "--batch-size", "4", "--dataset", a.data, "--device", "cpu"])
    try:
        json.loads(ran.out)
    except json.JSONDecodeError:
        return a.note(area, "a plan", ["none could be made"], ran)
    plan = a.path("sweep.json")
    plan.write_text(ran.out)
    merged = []
    for attempt in range(5):
        out = a.path()
        code, err = driven(a, ["sweep", "run", "--plan", plan, "--out", out, "-q"], 5 if attempt else 0, group=attempt % 2 == 0)
        done = a.run(["sweep", "run", "--plan", plan, "--out", out, "-q", "--retry-failed"], timeout=240)
        a.check(area, "interrupted sweep", done, 0)
        a.check(area, "merged", a.run(["sweep", "merge", "--plan", plan, "--out", out]), 0)
        merged.append({p.name: (p / "model.safetensors").read_bytes() for p in out.iterdir() if (p / "DONE").exists()})
        a.note(area, "models of the sweep", [] if merged[-1] == merged[0] else ["differ from the uninterrupted ones"])
