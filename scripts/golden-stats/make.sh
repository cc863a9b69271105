#!/usr/bin/env bash
# Makes crates/fm-report/tests/golden/stats.json anew with SciPy and statsmodels. Installs both into
# .venv-golden-stats the first time (300 MB, about a minute).
#
#   scripts/golden-stats/make.sh                  the golden file
#   scripts/golden-stats/make.sh --calibration    how often each method errs, as the table in verdict.rs (5 minutes)
set -euo pipefail
cd "$(dirname "$0")/../.."

script=make.py
case ${1:-} in
  '') ;;
  --calibration) script=calibration.py ;;
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "make: error: unknown flag '$1' (known: --calibration)" >&2; exit 2 ;;
esac

venv=.venv-golden-stats here=scripts/golden-stats
want=$(sha256sum <$here/requirements.txt)
if [ "$(cat $venv/.installed 2>/dev/null)" != "$want" ]; then
  rm -rf $venv
  python3 -m venv $venv
  $venv/bin/python -m pip install --quiet --disable-pip-version-check -r $here/requirements.txt
  echo "$want" >$venv/.installed
fi
$venv/bin/python $here/$script
