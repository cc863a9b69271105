#!/usr/bin/env bash
# Makes crates/fm-report/tests/golden/stats.json anew with SciPy and statsmodels. Installs both into
# .venv-golden-stats the first time (300 MB, about a minute).
#
#   scripts/golden-stats/make.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

case ${1:-} in
  '') ;;
  -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "make: error: unknown flag '$1'" >&2; exit 2 ;;
esac

venv=.venv-golden-stats here=scripts/golden-stats
want=$(sha256sum <$here/requirements.txt)
if [ "$(cat $venv/.installed 2>/dev/null)" != "$want" ]; then
  rm -rf $venv
  python3 -m venv $venv
  $venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $here/requirements.txt
  echo "$want" >$venv/.installed
fi
$venv/bin/python $here/make.py
