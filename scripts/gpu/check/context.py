"""What a step has at hand: the program, its data, a scratch folder, the clock, and the folder of results."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import time

import idx

# What the program says where an engine is unknown, or does not do what was asked for.
UNKNOWN, NOT_COVERED = "invalid value '{}' for '--engine", "--engine {}: not covered"


class Failed(Exception):
    """A step that did not hold, and why."""


class Skipped(Exception):
    """A step that has nothing to show here, and why."""


class Context:
    def __init__(self, options, scratch, out):
        self.options, self.scratch, self.out = options, scratch, out
        self.device, self.engines = options.device, options.engines
        self.log = open(out / "log.txt", "a")
        self.end = 0.0
        self.data_dir = idx.find(options.data_dir)
        # PyTorch and JAX find their own libraries, and the driver.
        self.plain = self.with_libraries()
        self.environment = self.with_libraries(*filter(None, [options.torch_lib]))
        self.whole = options.images == 60_000
        # What steps of several engines share: data sets of some rows, and what the CPU computed.
        self.subsets, self.points = {}, {}
        # The engine that has trained the whole runs, and tables for the report.
        self.ran = None
        self.tables = []

    @property
    def on_gpu(self):
        return self.device != "cpu"

    def with_libraries(self, *folders):
        """The environment with these folders before those where libraries were looked for: the driver may be there."""
        places = [*map(str, folders), os.environ.get("LD_LIBRARY_PATH"), *self.drivers()]
        return {**os.environ, "LD_LIBRARY_PATH": ":".join(filter(None, places))}

    @staticmethod
    def drivers():
        """Where containers mount the driver."""
        return [place for place in ("/usr/local/nvidia/lib64",) if os.path.isdir(place)]

    def left(self):
        return self.end - time.monotonic()

    def say(self, text):
        self.log.write(text.rstrip() + "\n")
        self.log.flush()

    @contextlib.contextmanager
    def started(self, command, environment=None, **pipes):
        """A process in a group of its own, ended with all that it started."""
        self.say(f"$ {shlex.join(map(str, command))}")
        process = subprocess.Popen(
            list(map(str, command)), env=environment or self.environment, text=True, start_new_session=True, **pipes
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def run(self, command, expect=0, environment=None, may_fail=False):
        """A finished command; `Failed` when it ends otherwise than expected, or not in the step's time."""
        begin = time.monotonic()
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        with self.started(command, environment, **pipes) as process:
            try:
                out, err = process.communicate(timeout=max(self.left(), 0.1))
            except subprocess.TimeoutExpired:
                self.say("  stopped at the step's limit")
                raise Failed(f"not done in the step's time: {shlex.join(map(str, command))[:200]}") from None
        self.say(f"  exit {process.returncode}, {time.monotonic() - begin:.2f} s\n{indented(err[-3000:])}")
        done = subprocess.CompletedProcess(command, process.returncode, out, err)
        if not may_fail and done.returncode != expect:
            raise Failed(f"exit {done.returncode}, expected {expect}: {last(err) or last(out)}")
        return done

    def program(self, command, *flags):
        # A directory given with --dataset is the whole answer.
        data = ["--data-dir", str(self.data_dir)] if self.data_dir and "--dataset" not in flags else []
        return [str(self.options.binary), command, *data, *flags]

    def train_command(self, name, *flags, device=None, engine=None):
        engine = ["--engine", engine] if engine else []
        out = ["--out", str(self.scratch / "runs"), "--name", name, "--no-record", "--quiet"]
        return self.program("train", "--device", device or self.device, *engine, *out, *flags)

    def train(self, name, *flags, device=None, engine=None, environment=None):
        """A finished run's summary. `Skipped` where there is no such engine, or it does not do that."""
        command = self.train_command(name, *flags, device=device, engine=engine)
        done = self.run(command, environment=environment, may_fail=True)
        self.covered(done, engine)
        if done.returncode:
            raise Failed(f"exit {done.returncode}: {error(done.stderr)}")
        return json.loads((self.directory(name) / "summary.json").read_text())

    def require(self, engine):
        """Raises `Skipped` where there is no such engine."""
        done = self.run(self.train_command("dry", "--dry-run", engine=engine), may_fail=True)
        self.covered(done, engine)
        if done.returncode:
            raise Failed(f"exit {done.returncode}: {error(done.stderr)}")

    def covered(self, done, engine):
        """Raises `Skipped` when what ended says that the engine is unknown or does not do that."""
        if done.returncode and engine:
            if UNKNOWN.format(engine) in done.stderr:
                raise Skipped(f"this program has no engine {engine}")
            line = next((line for line in done.stderr.splitlines() if NOT_COVERED.format(engine) in line), None)
            if line:
                raise Skipped(line.strip().removeprefix("error: "))

    def directory(self, name):
        return self.scratch / "runs" / name

    def subset(self, train, test=range(200)):
        """The directory of a data set of these rows."""
        key = (train, test)
        if key not in self.subsets:
            if not self.data_dir:
                raise Skipped("Fashion-MNIST is not here: give --data-dir")
            self.subsets[key] = idx.cut(self.data_dir, self.scratch / f"data-{len(self.subsets)}", train, test)
        return self.subsets[key]

    def data(self):
        """Flags for the data set: the whole one, or the first --images of it."""
        return [] if self.whole else ["--dataset", str(self.subset(range(self.options.images), range(2000)))]

    def forget(self):
        """Removes the runs of a step."""
        shutil.rmtree(self.scratch / "runs", ignore_errors=True)


def indented(text):
    return "".join(f"    {line}\n" for line in text.splitlines())


def last(text):
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def error(text):
    """The program's error, with its notes, in a line."""
    lines = text.strip().splitlines()
    first = next((i for i, line in enumerate(lines) if line.startswith("error")), max(len(lines) - 3, 0))
    return " | ".join(line.strip() for line in lines[first:])[:600]
