"""Memory, threads, files and file sizes that end: `ulimit`."""

import os


def attack(a, area):
    steps = 4 if a.short else 14
    for engine in ("fused", "eager"):
        flags = ["--arch", "encoder-mlp", "--engine", engine]
        # Below about 1.5 GB of addresses the loader cannot map libtorch: exit 127 is its own.
        for step in range(steps):
            memory = 1_500_000 + step * (700_000 // steps)
            ran = a.train(*flags, limit=f"-v {memory}")
            a.check(area, f"{engine}: -v {memory}", ran, (0, 3, 4, 5, 127))
        ran = a.train(*flags, "--threads", 2, limit="-v 2500000")
        a.check(area, f"{engine}: --threads twice, the last counts", ran, (0, 3, 4, 5, 127))
        for kilobytes in (1, 16, 200):
            out = a.path()
            ran = a.train(*flags, out=out, limit=f"-f {kilobytes}")
            a.check(area, f"{engine}: -f {kilobytes}", ran, (0, 4))
            if ran.code == 4:
                a.check(area, f"{engine}: resumed after -f {kilobytes}", a.train(*flags, "--resume", out=out), 0)
        for files in (3, 8, 20, 64):
            a.check(area, f"{engine}: -n {files}", a.train(*flags, limit=f"-n {files}"), (0, 1, 3, 4, 127))
        a.check(area, f"{engine}: -s 256", a.train(*flags, limit="-s 256"), 0)
    wide = ["--dataset", a.data, "--device", "cpu", "--epochs", 1, "-q", "--arch", "encoder-mlp", "--threads", 1024]
    for engine in ("fused", "eager"):
        ran = a.run([*wide, "--engine", engine, "--out", a.path(), "--name", "r"], limit="-v 2200000", timeout=60)
        a.check(area, f"{engine}: 1024 threads in 2.2 GB", ran, 5)
    if os.getuid() == 0 and not os.system("command -v su >/dev/null"):
        a.place.chmod(0o777)
        for engine in ("fused", "eager"):
            for processes in (3, 8, 17) if a.short else range(2, 24, 2):
                out = a.path()
                out.mkdir()
                out.chmod(0o777)
                command = f"ulimit -u {processes}; exec {a.exe} --dataset {a.data} --device cpu --epochs 1 --threads 16 " \
                          f"--arch encoder-mlp --engine {engine} --out {out} --name r -q"
                ran = nobody(a, command)
                if ran.code == 126:
                    return a.skip(area, "the binary is not nobody's to run")
                a.check(area, f"{engine}: -u {processes}", ran, (0, 1, 5, 127) if processes < 3 else (0, 5))


def nobody(a, command):
    exe, a.exe = a.exe, "su"
    try:
        return a.run(["-s", "/bin/bash", "nobody", "-c", command], timeout=60)
    finally:
        a.exe = exe
