#!/usr/bin/env bash
# Sets up, then runs every test. Flags go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh
exec cargo test --workspace "$@"
