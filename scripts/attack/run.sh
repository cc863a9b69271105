#!/usr/bin/env bash
# Looks for ways to make fm-exp panic, hang, lose work or believe what it should refuse: hostile files and names, edited
# tables, limits, signals, failing system calls; in the kernels, random networks under sanitizers and Miri. Prints a
# table of areas with their cases and failures, and exits with 1 if there are failures.
#
#   scripts/attack/run.sh            all of it, under 30 minutes on two cores
#   scripts/attack/run.sh --short    what needs stable tools alone, about 2 minutes
#   scripts/attack/run.sh --only AREA…   some areas, by the names in the table
#   FM_EXP=PATH            another binary than target/debug/fm-exp
#   FM_ATTACK_SEED=N       the seed of random moments, to repeat a failure
#
# What a tool is missing for is skipped, with the reason; skipped areas are counted.
set -euo pipefail
case ${1:-} in -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
FM_EXP=$(realpath "${FM_EXP:-$(dirname "$0")/../../target/debug/fm-exp}")
cd "$(dirname "$0")/../.."
[ -x "$FM_EXP" ] || { echo "attack: error: no binary $FM_EXP; cargo build -p fm-exp, or set FM_EXP" >&2; exit 2; }
place=$(mktemp -d)
trap 'chmod -R u+w "$place" 2>/dev/null; rm -rf "$place"' EXIT
cargo run --quiet --locked -p fm-images --example made -- "$place/data" 480 120
# What the environment says of runs is no part of an attack.
for variable in $(compgen -e | grep '^FM_' | grep -vx 'FM_ATTACK_SEED\|FM_EXP'); do unset "$variable"; done
FM_EXP=$FM_EXP python3 scripts/attack/attack.py --place "$place" "$@"
