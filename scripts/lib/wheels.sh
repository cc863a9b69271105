# Sourced by scripts that need wheels of their own: `wheels DIR LIST` makes the Python environment DIR with what LIST pins
# by hashes, unless it is there whole. Call it from the repository's root.
wheels() {
  local want
  want=$(sha256sum <"$2")
  if [ "$(cat "$1/.installed" 2>/dev/null)" = "$want" ]; then return; fi
  rm -rf "$1"
  python3 -m venv "$1" || return 1
  "$1/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$2" || return 1
  echo "$want" >"$1/.installed"
}
