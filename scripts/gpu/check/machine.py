"""What this machine is: its GPU, driver, tools and libraries, as themselves and as the program sees them."""

import importlib.util
import os
import pathlib
import platform
import re
import shutil
import subprocess

from .context import Failed, Skipped

QUERY = "name,driver_version,memory.total,compute_cap,clocks.max.sm,clocks.max.memory,power.limit,compute_mode,ecc.mode.current"


def torch_lib():
    """The lib folder of the PyTorch that this Python has."""
    found = importlib.util.find_spec("torch")
    folder = found and found.origin and pathlib.Path(found.origin).parent / "lib"
    return folder if folder and (folder / "libtorch_cpu.so").exists() else None


def gpu_name(device):
    """For a folder's name: `nvidia-h100-80gb-hbm3`, or what else computes."""
    if device == "cpu":
        return "rehearsal"
    try:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        done = subprocess.run(query, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    name = done.stdout.strip().splitlines()[:1]
    return re.sub("[^a-z0-9]+", "-", name[0].lower()).strip("-") if name and done.returncode == 0 else "unknown"


def machine(context):
    text = [f"system: {platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}\n"]
    for tool in ("nvidia-smi", "compute-sanitizer", "ncu", "nvcc"):
        text.append(f"{tool}: {shutil.which(tool) or 'not found'}\n")
    text.append(f"libtorch: {context.options.torch_lib or 'where the program was built to look'}\n")
    text.append(f"LD_LIBRARY_PATH: {context.environment.get('LD_LIBRARY_PATH', '')}\n")
    found = "no nvidia-smi"
    if shutil.which("nvidia-smi"):
        query = context.run(["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv"], may_fail=True)
        text += ["\n", query.stdout or query.stderr, "\n", context.run(["nvidia-smi"], may_fail=True).stdout]
        found = query.stdout.strip().splitlines()[-1] if query.stdout.strip() else "nvidia-smi says nothing"
    with open(context.out / "machine.txt", "a") as file:
        file.writelines(text)
    if not context.on_gpu:
        raise Skipped("no GPU is asked for")
    return found


def doctor(context):
    text = context.run(context.program("doctor")).stdout
    with open(context.out / "machine.txt", "a") as file:
        file.write(f"\nfm-exp doctor\n{text}")
    lines = text.splitlines()
    at = next((i for i, line in enumerate(lines) if line.startswith("cuda")), None)
    about = [] if at is None else [lines[at], *(line for line in lines[at + 1 : at + 4] if line.startswith(" "))]
    line = "; ".join(" ".join(part.split()) for part in about)
    if context.on_gpu and (not line or "not usable" in line):
        raise Failed(f"doctor sees no CUDA device: {line}")
    return line[:400] or "no line about CUDA"


STEPS = [("machine", machine, 20), ("doctor", doctor, 30)]
