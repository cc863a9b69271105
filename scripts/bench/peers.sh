#!/usr/bin/env bash
# Times an epoch of training on the CPU in Keras, PyTorch and this project, and writes a table to
# results/bench-<date>-<cpu>/. Installs Keras and PyTorch into .venv-golden the first time.
#
#   scripts/bench/peers.sh --ours 'target/release/fm-exp bench --arch {arch} --engine kernels --threads {threads} --json'
#   scripts/bench/peers.sh --steps 600 --rounds 3        600 of the 1,875 steps, scaled; without ours
#   scripts/bench/peers.sh --help                        every flag
#
# Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/lib/venv.sh
make_venv
exec "$python" scripts/bench/peers.py "$@"
