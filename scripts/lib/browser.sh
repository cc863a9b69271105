# Debian's chromium (installed as root where there is none), and playwright-core in $place.
if ! command -v chromium >/dev/null; then
  apt-get install -y -qq chromium >/dev/null || { echo "error: no chromium" >&2; exit 1; }
fi
place=.venv-report
if [ ! -d $place/node_modules/playwright-core ]; then
  mkdir -p $place
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --silent --no-fund --no-audit --prefix $place playwright-core@1
fi
