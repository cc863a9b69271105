"""Whether runs end as they should: every recipe trains, bits repeat, a killed run resumes, memory that is short is said."""

import hashlib
import os
import pathlib
import select
import signal
import subprocess
import sys
import time

from .context import Failed, Skipped

ARMS = {
    "frozen on random": ["--encoder", "frozen"],
    "frozen on autoencoder": ["--encoder", "frozen", "--pretrain", "autoencoder", "--pretrain-epochs", "1"],
    "frozen on classifier": ["--encoder", "frozen", "--pretrain", "classifier", "--pretrain-epochs", "1"],
    "fine-tuned from autoencoder": ["--pretrain", "autoencoder", "--pretrain-epochs", "1"],
}


def sha256(context, name):
    return hashlib.sha256((context.directory(name) / "model.safetensors").read_bytes()).hexdigest()


def learned(context, summary, least):
    accuracy = summary["test"]["accuracy"]
    if context.whole and accuracy < least:
        raise Failed(f"test accuracy {accuracy} after an epoch")
    return f"test accuracy {accuracy:.4f}, {summary['train_seconds']:.2f} s"


def epoch(engine, arch):
    def step(context):
        summary = context.train("epoch", "--arch", arch, "--epochs", "1", *context.data(), engine=engine)
        return learned(context, summary, 0.75)

    return step


def arm(engine, name):
    def step(context):
        summary = context.train("arm", "--arch", "encoder-mlp", "--epochs", "1", *ARMS[name], *context.data(), engine=engine)
        if summary["arm"] != name:
            raise Failed(f"the run calls itself {summary['arm']}")
        return learned(context, summary, 0.6)

    return step


def exact(engine):
    """What makes an engine give the same bits each time: libtorch has to be told on a GPU."""
    return ["--deterministic"] if engine == "eager" else []


def repeated(engine):
    def step(context):
        for name in ("first", "second"):
            context.train(name, "--epochs", "2", "--seed", "7", *exact(engine), *context.data(), engine=engine)
        first, second = sha256(context, "first"), sha256(context, "second")
        if first != second:
            raise Failed(f"weights differ: {first} and {second}")
        return f"SHA-256 {first[:16]} twice {' '.join(exact(engine))}".strip()

    return step


def killed(engine):
    def step(context):
        # Longer, until it lives long enough to be killed.
        for epochs in (6, 30, 150):
            flags = ["--epochs", str(epochs), "--seed", "3", *exact(engine), *context.data()]
            name = f"killed-{epochs}"
            rows = kill_after(context, name, flags, engine)
            if rows is not None:
                break
        else:
            raise Failed("every run ended before it could be killed")
        context.train(name, *flags, "--resume", engine=engine)
        context.train("whole", *flags, engine=engine)
        if sha256(context, "whole") != sha256(context, name):
            raise Failed("the resumed run's weights differ from the uninterrupted one's")
        return f"killed after epoch {rows} of {epochs}, resumed to the same weights"

    return step


def kill_after(context, name, flags, engine):
    """Rows of a run's table when it was killed after its second epoch; none when it ended first."""
    command = context.train_command(name, *flags, engine=engine)
    table = context.directory(name) / "epochs.csv"
    count = lambda: table.read_text().count("\n") - 1 if table.exists() else 0
    with context.started(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while process.poll() is None and count() < 2:
            if context.left() < 0:
                raise Failed("no two epochs in the step's time")
            time.sleep(0.005)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            return count() if process.returncode == -signal.SIGKILL else None
        done = subprocess.CompletedProcess(command, process.returncode, "", process.stderr.read())
    context.covered(done, engine)
    if done.returncode:
        raise Failed(f"exit {done.returncode}: {done.stderr[-600:]}")
    return None


HOG = """
import sys, torch
free, _ = torch.cuda.mem_get_info()
block = torch.empty(max(free - int(sys.argv[1]), 0), dtype=torch.uint8, device="cuda")
print("ready", flush=True)
sys.stdin.read()
"""


def out_of_memory(engine):
    """Another process leaves a little of the GPU's memory, and a large batch does not fit."""

    def step(context):
        if not context.on_gpu:
            raise Skipped("no GPU")
        left = (3 << 30) if engine == "eager" else (768 << 20)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with context.started([sys.executable, "-c", HOG, left], **pipes) as process:
            told = select.select([process.stdout], [], [], context.left())[0]
            if not told or process.stdout.readline().strip() != "ready":
                process.kill()
                raise Skipped(f"cannot fill the GPU's memory without PyTorch: {process.stderr.read().strip()[-200:]}")
            command = context.train_command(
                "large", "--arch", "encoder-mlp", "--epochs", "1", "--batch-size", "50000", engine=engine
            )
            done = context.run(command, may_fail=True)
        context.covered(done, engine)
        if done.returncode == 0:
            raise Skipped(f"a batch of 50,000 fits into {left >> 20} MiB")
        line = next((line for line in done.stderr.splitlines() if "out of GPU memory" in line), None)
        if done.returncode != 5 or not line:
            raise Failed(f"exit {done.returncode}: {done.stderr.strip()[-600:]}")
        return line.strip()

    return step


def cpu_libraries(context):
    """A folder of libtorch's CPU half alone."""
    lib = context.options.torch_lib or pathlib.Path(__file__).resolve().parents[3] / ".libtorch/torch/lib"
    if not (lib / "libtorch_cpu.so").exists():
        raise Skipped("no libtorch folder is known: give --torch-lib")
    folder = context.scratch / "cpu-libtorch"
    folder.mkdir()
    runtime = [*lib.glob("libtorch_cpu.so"), *lib.glob("libc10.so"), *lib.glob("libgomp*")]
    # libtorch_cpu.so of a CUDA wheel is linked to these two; they are no part of its CUDA half.
    for name in ("libcupti.so*", "libcudart.so*"):
        runtime += [path for parent in (lib, *lib.resolve().parent.parent.glob("nvidia/*/lib")) for path in parent.glob(name)]
    for path in runtime:
        if not (folder / path.name).exists():
            (folder / path.name).symlink_to(path.resolve())
    return folder


def without_libtorch_cuda(engine):
    """The own engine needs the driver alone."""

    def step(context):
        if not context.on_gpu:
            raise Skipped("no GPU")
        folder = cpu_libraries(context)
        places = context.environment.get("LD_LIBRARY_PATH", "").split(":")
        rest = [place for place in places if place and not (pathlib.Path(place) / "libtorch_cuda.so").exists()]
        environment = {**context.environment, "LD_LIBRARY_PATH": ":".join([str(folder), *rest])}
        flags = ["--device", context.device, "--engine", "eager", "--fast-dev-run", "--name", "x", "--out", context.scratch / "x"]
        control = context.run(context.program("train", *flags), environment=environment, may_fail=True)
        if control.returncode == 0:
            raise Skipped("libtorch_cuda.so can be reached all the same")
        summary = context.train("lean", "--arch", "cnn", "--epochs", "1", *context.data(), engine=engine, environment=environment)
        return learned(context, summary, 0.75)

    return step


def steps(engines):
    """Those of every engine, the own one's needs first."""
    for engine in engines:
        for arch in ("cnn", "encoder-mlp"):
            yield f"epoch {arch} ({engine})", epoch(engine, arch), 60
        yield f"bits twice ({engine})", repeated(engine), 60
        yield f"kill and resume ({engine})", killed(engine), 90
        yield f"oom ({engine})", out_of_memory(engine), 60
    own = [engine for engine in engines if engine != "eager"]
    for engine in own[:1]:
        yield f"driver alone ({engine})", without_libtorch_cuda(engine), 40
    # What an engine does not cover, auto gives to another.
    for name in ARMS:
        yield f"arm {name} (auto)", arm(None, name), 60
