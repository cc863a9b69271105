"""System calls that fail or at which the process is killed, chosen with strace."""


def attack(a, area):
    if not a.has_strace():
        return a.skip(area, "strace is missing or may not trace")
    flags = ["--arch", "encoder-mlp"]
    whole = a.path()
    a.check(area, "undisturbed", a.train(*flags, "--score-at", 1, out=whole, epochs=2), 0)
    model = (whole / "r" / "model.safetensors").read_bytes()

    def goes_on(name, out, *more):
        ran = a.train(*flags, "--score-at", 1, *more, out=out, epochs=2)
        differs = None
        if ran.code == 0 and (out / "r" / "model.safetensors").read_bytes() != model:
            differs = "another model than undisturbed"
        left = [str(p.relative_to(out)) for p in out.rglob(".tmp-*")]
        a.check(area, name, ran, 0, other=differs or (f"left {left}" if left else None))

    # Killed at the n-th sync, and at the exit.
    for n in range(1, 40, 2):
        out = a.path()
        kill = ["trace=fsync,fdatasync", f"inject=fsync,fdatasync:signal=KILL:when={n}"]
        a.train(*flags, "--score-at", 1, out=out, epochs=2, inject=kill)
        goes_on(f"killed at sync {n}", out, "--resume")
    out = a.path()
    a.train(*flags, "--score-at", 1, out=out, epochs=2, inject=["trace=exit_group", "inject=exit_group:signal=KILL:when=1"])
    goes_on("killed at its exit", out, "--resume")
    # --overwrite killed at each removal.
    for n in range(1, 20):
        out = a.path()
        a.train(*flags, "--score-at", 1, out=out, epochs=2)
        kill = ["trace=unlink,unlinkat,rmdir,rename,renameat,renameat2", f"inject=unlink,unlinkat,rmdir:signal=KILL:when={n}"]
        a.train(*flags, "--score-at", 1, "--overwrite", out=out, epochs=2, inject=kill)
        goes_on(f"--overwrite killed at removal {n}", out, "--resume")
    # Errors: a message and exit 4, or what the system lacks is done without.
    for name, calls, error, codes in [
        ("no locks", "flock", "ENOLCK", 4), ("no locks", "flock", "EOPNOTSUPP", 4),
        ("no sync of directories", "fsync", "EINVAL", (0, 4)), ("disk error", "fsync", "EIO", 4),
        ("disk full", "write", "ENOSPC", (0, 4)), ("no rename", "rename,renameat,renameat2", "EXDEV", 4),
        ("no threads", "clone3,clone", "EAGAIN", (0, 5)),
    ]:
        for when in ("1", "3", "1+") if not a.short else ("1+",):
            out = a.path()
            ran = a.train(*flags, out=out, inject=[f"trace={calls}", f"inject={calls}:error={error}:when={when}"])
            more = ("--out",) if name == "no locks" and ran.code == 4 else ()
            accepted = {0, *([codes] if isinstance(codes, int) else codes)}
            a.check(area, f"{name}: {error} at {when}", ran, tuple(accepted), has=more)
