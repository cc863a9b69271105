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
. scripts/lib/wheels.sh
wheels $venv $here/requirements.txt
$venv/bin/python $here/make.py
