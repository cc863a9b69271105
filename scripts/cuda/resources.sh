#!/usr/bin/env bash
# Registers and stack of each committed kernel on each chip, and what a step would take there, into
# crates/fm-cuda/README.md. Needs Python 3 with pip and g++, no GPU. About five minutes on two cores.
#
#   scripts/cuda/resources.sh [--check]    --check compares with what the README says
set -euo pipefail
cd "$(dirname "$0")/../.."

source scripts/cuda/toolkit.sh
work=$(mktemp)
trap 'rm -f "$work"' EXIT
cargo run --quiet --locked -p fm-cuda --example work 2>"$work"
python3 scripts/cuda/resources.py --tools "$toolkit" --work "$work" "$@"
