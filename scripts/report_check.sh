#!/usr/bin/env bash
# Opens a report in headless Chromium and fails when it logs an error, asks for anything, lacks a plot, cannot
# sort or scrolls sideways; takes screenshots at 400 and 1,400 pixels, light and dark.
#
#   scripts/report_check.sh results/sweep-cpu/report/report.html [DIRECTORY OF SCREENSHOTS]
#
# Installs Debian's chromium where there is none (as root), and playwright-core into .venv-report/.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -ge 1 ] || { echo "report-check: error: which report?" >&2; exit 2; }
if ! command -v chromium >/dev/null; then
  apt-get install -y -qq chromium >/dev/null || { echo "report-check: error: no chromium" >&2; exit 1; }
fi
place=.venv-report
if [ ! -d $place/node_modules/playwright-core ]; then
  mkdir -p $place
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --silent --no-fund --no-audit --prefix $place playwright-core@1
fi
NODE_PATH=$place/node_modules exec node scripts/report_check.cjs "$@"
