#!/usr/bin/env bash
# Times an epoch of training on the CPU in Keras, PyTorch and this project, alternating, and writes a table
# to results/bench-<date>-<cpu>/. Installs Keras and PyTorch into .venv-golden the first time.
#
#   scripts/bench/peers.sh                               all peers, both engines, 5 rounds of whole epochs
#   scripts/bench/peers.sh --steps 600 --rounds 3        600 of the 1,875 steps, scaled
#   scripts/bench/peers.sh --arch STRING --batch 128     any network of the notation, another batch
#   scripts/bench/peers.sh --help                        every flag
#
# Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/lib/venv.sh
make_venv
case " $* " in
  *" --ours "* | *" --help "* | *" -h "*) ;;
  *)
    scripts/setup.sh
    # As checked out, though the sources were built before they were committed.
    FM_BUILD_REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown) \
      cargo build --release --quiet -p fm-exp
    bench='target/release/fm-exp bench --device cpu --arch {arch} --threads {threads} --batch-size {batch} --json --quiet'
    # More steps than an epoch has are all of them.
    set -- --ours "$bench --engine fused --rounds 3 --steps 60000" --ours "$bench --engine eager --rounds 1 --steps 600" "$@"
    ;;
esac
exec "$python" scripts/bench/peers.py "$@"
