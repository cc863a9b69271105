"""The peers of peers.py: a process for each, which says what it did in lines of JSON.

A process reads its job from the first line of its standard input, and then requests: `prepare` a network, or train
`epochs` of it. Everything that a library prints goes to standard error.
"""

import json
import os
import sys
import time


def answers():
    """The place for answers: standard output, which from now on nothing else reaches."""
    own = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return own


def serve():
    """Answers requests until there are no more. Trainers have `epoch()`, which gives mean loss and share of hits."""
    out = answers()

    def say(answer):
        print(json.dumps(answer), file=out, flush=True)

    job = json.loads(sys.stdin.readline())
    if job["framework"] == "pytorch":
        from .with_torch import Trainer, start
    else:
        from .with_jax import Trainer, start
    shared = start(job)
    say({"about": shared["about"]})
    trainers = {}
    for line in sys.stdin:
        request = json.loads(line)
        arch, begin = request["arch"], time.perf_counter()
        try:
            if request["do"] == "prepare":
                trainers[arch] = Trainer(job, shared, arch)
                trainers[arch].epoch()
                prepared = time.perf_counter() - begin
                # The first compiled what this one takes.
                trainers[arch].epoch()
                say({"seconds": prepared, "epoch": time.perf_counter() - begin - prepared})
            else:
                seconds = []
                for _ in range(request["epochs"]):
                    start_of_epoch = time.perf_counter()
                    loss, hits = trainers[arch].epoch()
                    seconds.append(time.perf_counter() - start_of_epoch)
                say({"seconds": seconds, "total": time.perf_counter() - begin, "loss": loss, "accuracy": hits})
        except Exception as error:
            import traceback

            traceback.print_exc()
            say({"error": f"{type(error).__name__}: {error}"})


def network(path):
    """The module that the generated code defines."""
    names = {"__name__": "generated"}
    exec(compile(path, "generated", "exec"), names)
    return names["Net"]()
