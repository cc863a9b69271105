#!/usr/bin/env python3
"""Carries out the attacks and prints the table; see run.sh."""

import argparse
import os
import sys
import time

import files
import kernels
import limits
import models
import pictures
import plans
import signals
import syscalls
import tables
from common import Attack

# By area; the second says whether stable tools are enough, and a minute.
AREAS = {
    "models": (models.attack, True),
    "pictures": (pictures.attack, True),
    "files and names": (files.attack, True),
    "plans and grids": (plans.attack, True),
    "tables": (tables.attack, True),
    "limits": (limits.attack, True),
    "signals": (signals.attack, True),
    "system calls": (syscalls.attack, False),
    "kernels": (kernels.attack, False),
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
    for area, (carry_out, is_short) in AREAS.items():
        if (args.only and area not in args.only) or (args.short and not is_short):
            continue
        start = time.monotonic()
        carry_out(attack, area)
        print(f"{area}: {time.monotonic() - start:.0f} s", flush=True)
    return attack.report()


sys.exit(main())
