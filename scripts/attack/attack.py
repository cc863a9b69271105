#!/usr/bin/env python3
"""Carries out the attacks and prints the table; see run.sh."""

import argparse
import os
import sys
import threading
import time

import files
import kernels
import limits
import models
import pictures
import plans
import setups
import signals
import syscalls
import tables
from common import Attack

# By area; the second says whether stable tools are enough, and a minute.
AREAS = {
    # Compilers and Miri, beside all others.
    "kernels": (kernels.attack, False),
    "models": (models.attack, True),
    "pictures": (pictures.attack, True),
    "files and names": (files.attack, True),
    "plans and grids": (plans.attack, True),
    "tables": (tables.attack, True),
    "limits": (limits.attack, True),
    "set-up": (setups.attack, True),
    "signals": (signals.attack, True),
    "system calls": (syscalls.attack, False),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--place", required=True)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", nargs="+", metavar="AREA")
    args = parser.parse_args()
    if unknown := set(args.only or []) - set(AREAS):
        parser.error(f"no area {sorted(unknown)}; there are {', '.join(AREAS)}")
    seed = int(os.environ.get("FM_ATTACK_SEED", os.getpid()))
    attack = Attack(args.place, args.short, seed)
    print(f"attack: FM_ATTACK_SEED={seed}", flush=True)

    def timed(area):
        start = time.monotonic()
        try:
            AREAS[area][0](attack, area)
        except Exception as error:  # An area that cannot run is a finding as well.
            attack.note(area, "carrying it out", [f"{type(error).__name__}: {error}"])
        print(f"{area}: {time.monotonic() - start:.0f} s", flush=True)

    wanted = [area for area, (_, is_short) in AREAS.items()
              if (not args.only or area in args.only) and (is_short or not args.short)]
    beside = [threading.Thread(target=timed, args=(area,)) for area in wanted if area == "kernels"]
    for thread in beside:
        thread.start()
    for area in wanted:
        if area != "kernels":
            timed(area)
    for thread in beside:
        thread.join()
    return attack.report()


sys.exit(main())
