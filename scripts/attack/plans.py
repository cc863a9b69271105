"""Hostile grids and plans of sweeps."""

import json
import os

GRID = 'arch = "encoder-mlp"\nseeds = "0..1"\nepochs = 1\n'


def plan(a, text, *flags):
    path = a.path(f"{a.count}.toml")
    path.write_text(text)
    return a.run(["sweep", "plan", path, "--dataset", a.data, "--set", "device=cpu", *flags], timeout=30)


def attack(a, area):
    good = plan(a, GRID)
    if good.code != 0:
        good = a.run(["sweep", "plan", "--help"])
    for value in ('"3"', "-5", "2.0", "5000000000", "true", "[1, -5]", '["7"]', "[]"):
        ran = plan(a, GRID.replace("epochs = 1", f"epochs = {value}"))
        # A number in another form may be taken, as that number.
        number = "".join(filter(str.isdigit, value.split(".")[0]))
        taken = value in ('"3"', "2.0", '["7"]') and f'"epochs": {number}' in ran.out
        a.check(area, f"epochs = {value}", ran, 0 if taken else 2, has=("epochs",))
    for line in ("lr = \"x\"", "seed = -1", "arch = 3", "unknown = 1", 'out = "x"', 'name = "x"', "overwrite = true"):
        a.check(area, line, plan(a, GRID.replace("seeds = \"0..1\"\n", "") + line + "\n"), 2)
    for key in ('out = "x"', 'name = "x"', "overwrite = true", "provenance = 1", "score-at = [1]", "unknown = 1"):
        a.check(area, f"[[arm]] {key}", plan(a, GRID + f"[[arm]]\n{key}\n"), 2)
    a.check(area, "seeds 0..1000000", plan(a, GRID.replace("0..1", "0..1000000")), 2)
    a.check(area, "a grid that is a device", a.run(["sweep", "plan", "/dev/zero", "--dataset", a.data], timeout=20,
                                                   limit="-v 4000000"), (2, 4))
    try:
        document = json.loads(good.out)
    except json.JSONDecodeError:
        return a.skip(area, "no plan could be made")

    def run(change, **how):
        made = json.loads(good.out)
        change(made)
        path, out = a.path(f"{a.count}.json"), a.path()
        path.write_text(json.dumps(made))
        return out, a.run(["sweep", "run", "--plan", path, "--out", out, "-q"], timeout=120, **how)

    def of(key, value):
        return lambda made: made["runs"][0].__setitem__(key, value)

    def flag(key, value):
        return lambda made: made["runs"][0]["flags"].__setitem__(key, value)

    outside = a.place / "outside"
    for name, change in {
        "an absolute name": of("name", str(outside)), "a name upwards": of("name", "../outside"),
        "a name with escapes": of("name", "a\x1b[2J"), "an empty name": of("name", ""),
        "a long name": of("name", "x" * 300), "a run twice": lambda made: made["runs"].append(made["runs"][0]),
        "--help": flag("help", True), "--dry-run": flag("dry-run", True), "--out": flag("out", "x"),
        "an unknown flag": flag("unknown", 1), "a wrong id": of("run_id", "zz"), "format 0": lambda made: made.update(format=0),
        "format 99": lambda made: made.update(format=99), "runs that are a number": lambda made: made.update(runs=3),
    }.items():
        out, ran = run(change)
        left = [str(p) for p in a.place.glob("outside*")]
        a.check(area, f"plan: {name}", ran, (2, 4, 7, 9), hasnt=("\x1b",), other=f"wrote {left}" if left else None)
        for path in a.place.glob("outside*"):
            path.unlink() if path.is_file() else None
    for text in ("", "{", "[]", "null", "\0" * 100, '{"runs":' * 50_000):
        path = a.path(f"{a.count}.json")
        path.write_text(text)
        a.check(area, f"plan.json {text!r:.12}", a.run(["sweep", "run", "--plan", path, "--out", a.path()]), (2, 7))
    fifo = a.path("plan-fifo")
    os.mkfifo(fifo)
    for path in (fifo, "/dev/zero"):
        ran = a.run(["sweep", "run", "--plan", path, "--out", a.path()], timeout=20, limit="-v 4000000")
        a.check(area, f"plan {path}", ran, (2, 4, 7))
    # A slip in a flag is no failure of the runs.
    path, out = a.path("slip.json"), a.path()
    path.write_text(json.dumps(document))
    a.check(area, "sweep run --threads 0", a.run(["sweep", "run", "--plan", path, "--out", out, "--threads", 0]), 2)
    a.check(area, "the same without the slip", a.run(["sweep", "run", "--plan", path, "--out", out, "-q"], timeout=180), 0)
    a.check(area, "merge", a.run(["sweep", "merge", "--plan", path, "--out", out]), 0)
