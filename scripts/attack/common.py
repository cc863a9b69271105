"""What the attacks share: running the program, and the table of what came of it."""

import os
import random
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

# The documented exit codes: anything else is a bug, a panic (101) or a signal.
CODES = {0, 2, 3, 4, 5, 6, 7, 8, 9, 75, 130}


@dataclass
class Ran:
    code: int
    out: str
    err: str
    seconds: float
    args: list

    @property
    def text(self):
        return self.out + self.err


class Attack:
    def __init__(self, place, short, seed):
        self.place, self.short = Path(place), short
        self.data = self.place / "data"
        self.exe = os.environ["FM_EXP"]
        self.random = random.Random(seed)
        self.areas, self.skips, self.count = {}, [], 0

    # --- running ---------------------------------------------------------------------------------------------
    def path(self, name=None):
        """A new path below the temporary directory."""
        self.count += 1
        return self.place / (name or f"x{self.count}")

    def run(self, args, limit=None, inject=None, env=None, timeout=90):
        """The program under `ulimit LIMIT` and under strace with each of INJECT."""
        command = [self.exe, *map(str, args)]
        if inject:
            strace = ["strace", "-f", "-qq", "-o", "/dev/null"]
            command = [*strace, *[word for one in inject for word in ("-e", one)], *command]
        if limit:
            command = ["bash", "-c", f'ulimit {limit} && exec "$0" "$@"', *command]
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                   env={**os.environ, **(env or {})}, start_new_session=True, cwd=self.place)
        try:
            out, err = process.communicate(timeout=timeout)
            code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            code = "hang"
        decode = lambda text: text.decode(errors="replace")
        return Ran(code, decode(out), decode(err), time.monotonic() - start, command)

    def train(self, *flags, out=None, name="r", epochs=1, **how):
        """A short run on the made data."""
        base = ["--dataset", self.data, "--device", "cpu", "--threads", 1, "--epochs", epochs, "-q"]
        return self.run([*base, "--out", out or self.path(), "--name", name, *flags], **how)

    def base(self):
        """A finished run that nobody changes; copies are attacked."""
        run = self.place / "base" / "r"
        if not (run / "DONE").exists():
            ran = self.train("--arch", "encoder-mlp", out=run.parent, epochs=2)
            assert ran.code == 0, ran.text
        return run

    def copy(self, run):
        to = self.path()
        shutil.copytree(run, to)
        return to

    # --- judging ---------------------------------------------------------------------------------------------
    def check(self, area, name, ran, code=None, has=(), hasnt=(), other=None):
        """One case: a documented exit code (or one of CODE), no panic, these words and not those."""
        codes = CODES if code is None else set(code if isinstance(code, (set, tuple)) else [code])
        wrong = []
        if ran.code not in codes:
            wrong.append(f"exit {ran.code}, expected {sorted(codes)}")
        if "panicked" in ran.text or "memory allocation of" in ran.text:
            wrong.append("panic or abort")
        wrong += [f"lacks {word!r}" for word in has if word not in ran.text]
        wrong += [f"has {word!r}" for word in hasnt if word in ran.text]
        if other:
            wrong.append(other)
        self.note(area, name, wrong, ran)

    def note(self, area, name, wrong, ran=None):
        cases, failures = self.areas.setdefault(area, [0, []])
        self.areas[area][0] = cases + 1
        if wrong:
            tail = "" if ran is None else " | " + ran.text.strip()[-300:].replace("\n", " / ")
            failures.append(name)
            print(f"FAIL {area}: {name}: {'; '.join(wrong)}{tail}", flush=True)

    def skip(self, area, why):
        self.skips.append(area)
        print(f"skipped {area}: {why}", flush=True)

    def has_strace(self):
        """Whether strace may trace here."""
        if not hasattr(self, "_strace"):
            try:
                ran = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True)
                self._strace = ran.returncode == 0
            except OSError:
                self._strace = False
        return self._strace

    def report(self):
        width = max(map(len, [*self.areas, "area"]), default=4)
        print(f"\n{'area':<{width}}  cases  failures")
        for area, (cases, failures) in self.areas.items():
            print(f"{area:<{width}}  {cases:>5}  {len(failures):>8}")
        cases = sum(cases for cases, _ in self.areas.values())
        failures = sum(len(failures) for _, failures in self.areas.values())
        print(f"{'sum':<{width}}  {cases:>5}  {failures:>8}\nskipped: {len(self.skips)}")
        return 1 if failures else 0
