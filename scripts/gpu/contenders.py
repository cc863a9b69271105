"""Who takes part in peers.py: its peers, each a process of its own, and commands of this project."""

import os
import re
import shlex
import subprocess

from workers.process import PeerFailed

# Name -> what it is, framework, and how it differs from PyTorch's eager mode.
PEERS = {
    "eager": ("PyTorch eager", "pytorch", {}),
    "graph": ("PyTorch, whole steps in a CUDA graph", "pytorch", {"captured": True}),
    "graph-cl": ("PyTorch, whole steps in a CUDA graph, channels last", "pytorch", {"captured": True, "channels_last": True}),
    "compile": ("PyTorch, torch.compile max-autotune, whole steps in a CUDA graph", "pytorch", {"captured": True, "compiled": True}),
    "jax": ("JAX, an epoch in one lax.scan", "jax", {}),
}


class Peer:
    """One of PEERS with TF32 on or off, for some networks."""

    def __init__(self, name, tf32, archs):
        self.name, self.tf32, self.archs = name, tf32, archs
        self.title, self.framework, self.differs = PEERS[name]
        self.worker, self.ready = None, set()
        # By network: seconds of the first epoch after preparing, and the last mean loss.
        self.takes, self.last = {}, {}

    @property
    def label(self):
        return f"{self.title}, TF32 {'on' if self.tf32 else 'off'}"

    def job(self, options):
        plain = {"captured": False, "channels_last": False, "compiled": False}
        return plain | self.differs | {
            "framework": self.framework, "tf32": self.tf32, "device": options.device, "code": options.code,
            "images": options.images, "batch": options.batch, "data_dir": str(options.data_dir), "threads": options.threads,
        }


class Ours:
    """A command that prints fm-exp bench's JSON."""

    def __init__(self, template, run, archs):
        self.template, self.run, self.archs, self.last = template, run, archs, {}
        self.tf32 = "--precision tf32" in template or "--precision=tf32" in template
        found = re.search(r"--engine[= ](\S+)", template)
        self.title = f"fm-exp, engine {found[1] if found else 'auto'}"
        self.name = "ours"

    @property
    def label(self):
        return f"{self.title}, TF32 {'on' if self.tf32 else 'off'}"


def our_environment(options):
    env = dict(os.environ)
    if options.torch_lib:
        env["LD_LIBRARY_PATH"] = ":".join(filter(None, [str(options.torch_lib.resolve()), env.get("LD_LIBRARY_PATH")]))
    return env


def call(text, options, limit, **places):
    """What a command of ours prints."""
    command = shlex.split(text.format(batch=options.batch, epochs=options.many, **places))
    try:
        done = subprocess.run(command, env=our_environment(options), capture_output=True, text=True, timeout=max(limit, 1))
    except subprocess.TimeoutExpired as late:
        raise PeerFailed(f"no end after {late.timeout:.0f} s") from None
    except OSError as error:
        raise PeerFailed(str(error)) from None
    if done.returncode:
        raise PeerFailed(f"exit {done.returncode}: {done.stderr.strip()[:600]}")
    return done.stdout
