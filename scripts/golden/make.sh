#!/usr/bin/env bash
# Makes the golden files in crates/fm-models/tests/golden anew with PyTorch and Keras, and prints how far
# they agree; and with torchvision the one in crates/fm-images/tests/golden. Installs both into .venv-golden the first time.
#
#   scripts/golden/make.sh             all of it
#   scripts/golden/make.sh --check     the table alone, from the files that are there
set -euo pipefail
cd "$(dirname "$0")/../.."

case ${1:-} in
  '' | --check) ;;
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "make: error: unknown flag '$1' (known: --check)" >&2; exit 2 ;;
esac

. scripts/lib/venv.sh
make_venv
if [ "${1:-}" != --check ]; then
  "$python" scripts/golden/common.py
  "$python" scripts/golden/pytorch.py
  "$python" scripts/golden/composition.py
  "$python" scripts/golden/keras_golden.py
  "$python" scripts/golden/augment.py
fi
"$python" scripts/golden/compare.py
