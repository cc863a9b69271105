#!/usr/bin/env bash
# Makes crates/fm-train/tests/golden/calibration.json anew with PyTorch, scikit-learn and torchmetrics, in .venv-golden
# (see scripts/lib/venv.sh) and .venv-golden-calibration.
#
#   scripts/golden-stats/calibration.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

case ${1:-} in
  '') ;;
  -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "calibration: error: unknown flag '$1'" >&2; exit 2 ;;
esac

. scripts/lib/venv.sh
make_venv
extra=.venv-golden-calibration list=scripts/golden-stats/calibration.txt
want=$(sha256sum <$list)
if [ "$(cat $extra/.installed 2>/dev/null)" != "$want" ]; then
  rm -rf $extra
  "$python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --target $extra -r $list
  echo "$want" >$extra/.installed
fi
PYTHONPATH=$PWD/$extra "$python" scripts/golden-stats/calibration.py
