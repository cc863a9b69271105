"""NVIDIA's tools on the program: compute-sanitizer on a few steps, Nsight Compute on the training kernels."""

import shutil

from .context import Failed, Skipped, last

ARCHS = ("cnn", "encoder-mlp")
# Kernels of a run that are looked at, after those of its first steps.
SKIP, COUNT = 8, 6
SECTIONS = ("SpeedOfLight", "LaunchStats", "Occupancy", "WarpStateStats", "SchedulerStats", "MemoryWorkloadAnalysis")
# The most of a profile that is kept.
MOST = 4 << 20


def tool(context, name):
    if not context.on_gpu:
        raise Skipped("no GPU")
    found = shutil.which(name) or shutil.which(f"/usr/local/cuda/bin/{name}")
    if not found:
        raise Skipped(f"no {name} here")
    return found


def few_steps(context, arch, engine, name):
    command = context.train_command(name, "--arch", arch, "--fast-dev-run", engine=engine)
    context.covered(context.run(command, may_fail=True), engine)
    return context.train_command(f"{name}-again", "--arch", arch, "--fast-dev-run", engine=engine)


def sanitizer(engine, check, arch):
    def step(context):
        path = tool(context, "compute-sanitizer")
        command = few_steps(context, arch, engine, "plain")
        done = context.run([path, "--tool", check, "--error-exitcode", "99", "--print-limit", "20", *command], may_fail=True)
        lines = [line.removeprefix("=========").strip() for line in done.stdout.splitlines() if line.startswith("=========")]
        context.say("\n".join(f"    {line}" for line in lines[:400]))
        verdict = next((line for line in reversed(lines) if "ERROR SUMMARY" in line or "RACECHECK SUMMARY" in line), last(done.stdout))
        if done.returncode:
            first = next((line for line in lines if line and "COMPUTE-SANITIZER" not in line), "")
            raise Failed(f"exit {done.returncode}: {verdict}: {first}")
        return verdict

    return step


def profile(engine, arch):
    def step(context):
        path = tool(context, "ncu")
        command = few_steps(context, arch, engine, "plain")
        sections = [word for section in SECTIONS for word in ("--section", section)]
        ncu = [path, "--clock-control", "none", "--target-processes", "all", "--launch-skip", SKIP, "--launch-count", COUNT, *sections]
        done = context.run([*ncu, *command], may_fail=True)
        with open(context.out / "profile.txt", "a") as file:
            file.write(f"{engine}, {arch}\n{done.stdout[:MOST]}\n")
        if done.returncode:
            raise Failed(f"exit {done.returncode}: {last(done.stdout) or last(done.stderr)}")
        durations = [" ".join(line.split()[-2:]) for line in done.stdout.splitlines() if line.strip().startswith("Duration")]
        return f"{len(durations)} kernels, durations {', '.join(durations[:8])}"

    return step


def steps(engines):
    """On the project's own kernels; libtorch's are NVIDIA's matter."""
    for engine in [engine for engine in engines if engine != "eager"] or engines[:1]:
        for arch in ARCHS:
            for check in ("memcheck", "racecheck"):
                yield f"sanitizer {check} {arch} ({engine})", sanitizer(engine, check, arch), 60


def profiles(engines):
    for engine in [engine for engine in engines if engine != "eager"] or engines[:1]:
        for arch in ARCHS:
            yield f"profile {arch} ({engine})", profile(engine, arch), 240
