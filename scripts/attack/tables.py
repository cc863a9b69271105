"""Tables and files of a run, edited between two commands."""

import csv
import shutil
import signal
import subprocess
import time

RECIPE = ["--arch", "encoder-mlp", "--batch-size", 4]
EPOCHS = 30


def stopped(a, out):
    """A run that SIGTERM has stopped after an epoch or more; its epochs.csv."""
    base = ["--dataset", a.data, "--device", "cpu", "--threads", 1, "--epochs", EPOCHS, "-q", "--out", out, "--name", "r"]
    process = subprocess.Popen([a.exe, *map(str, base + RECIPE)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    table = out / "r" / "epochs.csv"
    while process.poll() is None and not (table.exists() and table.read_bytes().count(b"\n") > 2):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    return table if process.wait() == 75 else None


def rows(path):
    return list(csv.DictReader(path.open(newline="")))


def attack(a, area):
    # epochs.csv, saved by something else between a stop and --resume: the run ends with all its rows.
    edits = {
        "a byte-order mark": lambda text: "\ufeff" + text,
        "all cells quoted": lambda text: "\r\n".join(",".join(f'"{c}"' for c in line.split(",")) for line in text.splitlines()) + "\r\n",
        "semicolons": lambda text: text.replace(",", ";"),
        "line ends of Unix": lambda text: text.replace("\r\n", "\n"),
        "empty": lambda text: "",
        "a row more": lambda text: text + text.splitlines()[-1] + "\r\n",
        "a torn row": lambda text: text[:-10],
    }
    for name, edit in {**edits, "deleted": None}.items():
        out = a.path()
        table = stopped(a, out)
        if table is None:
            a.note(area, f"epochs.csv with {name}", ["the run could not be stopped"])
            continue
        if edit is None:
            table.unlink()
        else:
            table.write_text(edit(table.read_text()), newline="")
        ran = a.train(*RECIPE, "--resume", out=out, epochs=EPOCHS)
        found = [row.get("epoch") for row in rows(table)] if table.exists() else None
        wrong = None if found == [str(n + 1) for n in range(EPOCHS)] else f"rows {found}"
        a.check(area, f"epochs.csv with {name}", ran, 0, other=wrong)
    # runs.csv.
    out = a.path()
    a.train("--arch", "encoder-mlp", out=out, name="a", epochs=0)
    table = out / "runs.csv"
    good = table.read_text()
    lines = good.splitlines()
    edits = {
        "a column more": "\r\n".join(f"{line},{'note' if i == 0 else 'keep me'}" for i, line in enumerate(lines)) + "\r\n",
        "quotes": "\r\n".join(",".join(f'"{c}"' for c in line.split(",")) for line in lines) + "\r\n",
        "a byte-order mark": "\ufeff" + good, "percent signs": good.replace("cpu", "40%"),
        "no rows": lines[0] + "\r\n", "nothing": "", "semicolons": good.replace(",", ";"), "a NUL": good + "\0\r\n",
    }
    for name, text in edits.items():
        table.write_text(text, newline="")
        ran = a.train("--arch", "encoder-mlp", out=out, name="b", epochs=0)
        lost = "a user's cells are lost" if "keep me" in text and "keep me" not in table.read_text() else None
        a.check(area, f"runs.csv with {name}", ran, (0, 4), other=lost)
        for verb in ("compare", "report"):
            a.check(area, f"{verb} beside runs.csv with {name}", a.run([verb, out] + (["--out", a.path()] if verb == "report" else [])))
        shutil.rmtree(out / "b", ignore_errors=True)
    # The files of a finished run: read with care by what reads them.
    for name in sorted(p.name for p in a.base().iterdir() if p.is_file()):
        for what, data in {"empty": b"", "zeros": bytes(50), "text": b"hello\n" * 9}.items():
            there = a.copy(a.base())
            (there / name).write_bytes(data)
            for verb in ("eval", "compare", "report"):
                more = {"eval": ["--device", "cpu", "--dataset", a.data], "report": ["--out", a.path()]}.get(verb, [])
                if a.short and verb != "eval":
                    continue
                a.check(area, f"{name} of {what}: {verb}", a.run([verb, there, *more]))
    # A lock that is a link leaves its target alone, and a forged DONE is none.
    there, target = a.path(), a.path("target")
    target.write_text("precious\n" * 100)
    (there / "r").mkdir(parents=True)
    (there / "r" / ".lock").symlink_to(target)
    ran = a.train("--arch", "encoder-mlp", out=there, epochs=0)
    a.check(area, ".lock is a link", ran, other=None if target.read_text() == "precious\n" * 100 else "its target changed")
