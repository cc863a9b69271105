"""What scripts/gpu/check.sh runs: each check is a function that returns what it found or raises Failed."""

import argparse
import array
import gzip
import hashlib
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

STEPS, BATCH = 20, 32
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
ARMS = {
    "joint": [],
    "frozen on random": ["--encoder", "frozen"],
    "frozen on autoencoder": ["--encoder", "frozen", "--pretrain", "autoencoder", "--pretrain-epochs", "1"],
    "frozen on classifier": ["--encoder", "frozen", "--pretrain", "classifier", "--pretrain-epochs", "1"],
    "fine-tuned from autoencoder": ["--pretrain", "autoencoder", "--pretrain-epochs", "1"],
}


class Failed(Exception):
    """A check that did not hold, and why."""


class Skipped(Exception):
    """A check that has nothing to show here, and why."""


class Bench:
    """The program under test and a place to run it in."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.environment = dict(os.environ)
        if options.torch_lib:
            self.environment["LD_LIBRARY_PATH"] = str(options.torch_lib.resolve())

    def command(self, *flags, device=None):
        data = ["--data-dir", str(self.options.data_dir)] if self.options.data_dir else []
        out = ["--out", str(self.folder), "--quiet", "--device", device or self.options.device]
        return [str(self.options.binary), "train", *out, *data, *flags]

    def run(self, command, expect=0, environment=None):
        done = subprocess.run(command, capture_output=True, text=True, env={**self.environment, **(environment or {})})
        if done.returncode != expect:
            raise Failed(f"exit {done.returncode}, expected {expect}: {' '.join(command)}\n{done.stderr[-2000:]}")
        return done

    def train(self, name, *flags, device=None, environment=None):
        """A finished run's summary."""
        self.run(self.command("--name", name, *flags, device=device), environment=environment)
        return json.loads((self.folder / name / "summary.json").read_text())

    def sha256(self, name):
        return hashlib.sha256((self.folder / name / "model.safetensors").read_bytes()).hexdigest()


def tensors(path):
    """Name -> values of a safetensors file of 32-bit floats."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    found = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            found[name] = array.array("f", data[start:end])
    return found


def doctor(bench):
    data = ["--data-dir", str(bench.options.data_dir)] if bench.options.data_dir else []
    text = bench.run([str(bench.options.binary), "doctor", *data]).stdout
    line = next((line for line in text.splitlines() if line.startswith("cuda")), "")
    if bench.options.device != "cpu" and "visible" not in line:
        raise Failed(f"doctor sees no CUDA device:\n{text}")
    return " ".join(line.split())


def epoch(arch):
    def check(bench):
        summary = bench.train(f"epoch-{arch}", "--arch", arch, "--epochs", "1")
        accuracy = summary["test"]["accuracy"]
        if accuracy < 0.75:
            raise Failed(f"test accuracy {accuracy} after an epoch")
        return f"test accuracy {accuracy:.4f}, {summary['train_seconds']:.2f} s"

    return check


def arm(name):
    def check(bench):
        slug = "arm-" + name.replace(" ", "-")
        summary = bench.train(slug, "--arch", "encoder-mlp", "--epochs", "1", *ARMS[name])
        if summary["arm"] != name:
            raise Failed(f"the run calls itself {summary['arm']}")
        accuracy = summary["test"]["accuracy"]
        if accuracy < 0.6:
            raise Failed(f"test accuracy {accuracy}")
        return f"test accuracy {accuracy:.4f}, {summary['train_seconds']:.2f} s"

    return check


def repeated(bench):
    for name in ("twice-1", "twice-2"):
        bench.train(name, "--epochs", "2", "--deterministic", "--seed", "7")
    first, second = bench.sha256("twice-1"), bench.sha256("twice-2")
    if first != second:
        raise Failed(f"weights differ: {first} and {second}")
    return f"SHA-256 {first[:16]} twice"


def killed(bench):
    flags = ["--epochs", "4", "--deterministic", "--seed", "3"]
    bench.train("whole", *flags)
    command = bench.command("--name", "killed", *flags)
    process = subprocess.Popen(command, env=bench.environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    table = bench.folder / "killed" / "epochs.csv"
    while process.poll() is None and (not table.exists() or table.read_text().count("\n") < 3):
        time.sleep(0.02)
    if process.poll() is not None:
        raise Failed("the run ended before it could be killed")
    process.send_signal(signal.SIGKILL)
    process.wait()
    rows = table.read_text().count("\n") - 1
    bench.train("killed", *flags, "--resume")
    if bench.sha256("whole") != bench.sha256("killed"):
        raise Failed("the resumed run's weights differ from the uninterrupted one's")
    return f"killed after epoch {rows} of 4, resumed to the same weights"


def first_images(bench, count):
    """A directory of the data set's first training images and its whole test set."""
    source = bench.options.data_dir or pathlib.Path("/usr/share/datasets/fashion-mnist")
    target = bench.folder / "first"
    target.mkdir()
    for part, names in FILES.items():
        for name in names:
            plain, packed = source / name, source / f"{name}.gz"
            data = plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())
            if part == "train":
                header = 4 + 4 * data[3]
                size = 1
                for offset in range(8, header, 4):
                    size *= struct.unpack(">I", data[offset : offset + 4])[0]
                data = data[:4] + struct.pack(">I", count) + data[8 : header + count * size]
            (target / name).write_bytes(data)
    return target


def as_on_the_cpu(bench):
    """20 steps of the same engine on both devices, from the same bytes."""
    data = str(first_images(bench, STEPS * BATCH))
    worst = 0.0
    for arch in ("cnn", "encoder-mlp"):
        flags = ["--arch", arch, "--dataset", data, "--protocol", "notebook", "--epochs", "1", "--engine", "eager"]
        # 0 switches TF32 off in cuBLAS and cuDNN.
        exact = {"NVIDIA_TF32_OVERRIDE": "0"}
        for place, device in (("there", "cpu"), ("here", bench.options.device)):
            bench.train(f"steps-{arch}-{place}", *flags, device=device, environment=exact)
        there, here = (tensors(bench.folder / f"steps-{arch}-{place}" / "model.safetensors") for place in ("there", "here"))
        for name, values in there.items():
            worst = max(worst, max(abs(a - b) for a, b in zip(values, here[name])))
    if not worst <= 1e-4:
        raise Failed(f"after {STEPS} steps weights differ by {worst:.2e}")
    return f"largest difference of a weight after {STEPS} steps {worst:.1e}"


def out_of_memory(bench):
    """Row 27: another process leaves a little of the GPU's memory, and a large batch does not fit."""
    if bench.options.device == "cpu":
        raise Skipped("no GPU")
    hog = (
        "import sys, torch\n"
        "free, _ = torch.cuda.mem_get_info()\n"
        "block = torch.empty(max(free - (3 << 30), 0), dtype=torch.uint8, device='cuda')\n"
        "print('ready', flush=True)\nsys.stdin.read()\n"
    )
    try:
        process = subprocess.Popen([sys.executable, "-c", hog], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if process.stdout.readline().strip() != "ready":
            raise Failed("cannot fill the GPU's memory: this check needs PyTorch in Python")
        done = bench.run(bench.command("--name", "large", "--arch", "encoder-mlp", "--epochs", "2", "--batch-size", "50000"), expect=5)
    finally:
        process.kill()
        process.wait()
    line = next((line for line in done.stderr.splitlines() if "out of GPU memory" in line), None)
    if not line or "batch 50000" not in line:
        raise Failed(f"not the message that was expected:\n{done.stderr}")
    return line.strip()


CHECKS = [
    ("doctor", doctor),
    ("an epoch of cnn", epoch("cnn")),
    ("an epoch of encoder-mlp", epoch("encoder-mlp")),
    *((f"arm: {name}", arm(name)) for name in ARMS),
    ("two deterministic runs", repeated),
    ("kill -9 and resume", killed),
    ("agreement with the CPU", as_on_the_cpu),
    ("out of memory", out_of_memory),
]


def main():
    parser = argparse.ArgumentParser(prog="scripts/gpu/check.sh", description="Shows whether fm-exp works on this machine's GPU.")
    parser.add_argument("--binary", type=pathlib.Path, default=pathlib.Path("target/release/fm-exp"))
    parser.add_argument("--torch-lib", type=pathlib.Path, help="libtorch's lib folder, where the binary's own is not there")
    parser.add_argument("--data-dir", type=pathlib.Path, help="the data set's four files; found by itself otherwise")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu to rehearse")
    options = parser.parse_args()
    if not options.binary.exists():
        parser.error(f"no {options.binary}; cargo build --release -p fm-exp, or --binary PATH")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fm-exp-check-"))
    bench, failures, rows = Bench(options, folder), 0, []
    try:
        for name, check in CHECKS:
            start = time.monotonic()
            try:
                found, verdict = check(bench), "ok"
            except Failed as failure:
                found, verdict = str(failure), "FAILED"
                failures += 1
            except Skipped as reason:
                found, verdict = str(reason), "skipped"
            rows.append((verdict, name, f"{time.monotonic() - start:.0f} s", found.splitlines()[0]))
            print(f"{verdict:<8}{name}: {found}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\n| | check | took | found |\n|---|---|--:|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    passed = sum(row[0] == "ok" for row in rows)
    print(f"\n{passed} of {len(rows)} checks passed, {failures} failed, on {options.device}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
