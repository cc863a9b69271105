#!/usr/bin/env bash
# Makes crates/fm-report/tests/golden/lme4.json, components.json and letters.json anew, from stats.json. Needs R with lme4, lmerTest,
# multcompView and jsonlite; on Debian:
#
#   apt-get install r-base-core r-cran-lme4 r-cran-lmertest r-cran-multcompview r-cran-jsonlite
#   scripts/golden-stats/lme4.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

case ${1:-} in
  '') ;;
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "lme4: error: unknown flag '$1'" >&2; exit 2 ;;
esac
Rscript scripts/golden-stats/lme4.R
