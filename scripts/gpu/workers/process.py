"""A peer's process, as the one that asks sees it."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time


class PeerFailed(Exception):
    """A peer that did not answer, or answered with an error."""


class Worker:
    """A process with its job; `end` is when it must have answered, by the monotonic clock."""

    def __init__(self, program, job, log, end):
        self.job, self.end, self.about, self.rest = job, end, "", b""
        # What it compiles is its own: peers with other settings compile the same network.
        self.scratch = tempfile.TemporaryDirectory()
        environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": self.scratch.name}
        if not job["tf32"]:
            # Libraries that do not ask their caller read this: 0 switches TF32 off in cuBLAS and cuDNN.
            environment["NVIDIA_TF32_OVERRIDE"] = "0"
        command = [sys.executable, program, "--worker"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
        self.process = subprocess.Popen(command, env=environment, start_new_session=True, **pipes)

    def start(self):
        """Waits until its library and its data are there."""
        self.about = self.ask(self.job, self.end)["about"]

    def ask(self, request, end):
        """The answer to a request."""
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except (OSError, ValueError):
            raise PeerFailed("its process has ended") from None
        answer = json.loads(self.line(end))
        if "error" in answer:
            raise PeerFailed(answer["error"])
        return answer

    def line(self, end):
        out = self.process.stdout.fileno()
        while b"\n" not in self.rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                self.stop()
                raise PeerFailed("did not answer in time")
            part = os.read(out, 1 << 16)
            if not part:
                raise PeerFailed(f"its process ended with {self.process.wait()}")
            self.rest += part
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def stop(self):
        """Ends the process and those that it started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.scratch.cleanup()
