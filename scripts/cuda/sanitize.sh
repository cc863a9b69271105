#!/usr/bin/env bash
# Runs fm-cuda's tests on an emulated driver that is compiled with GCC's address and undefined-behaviour sanitizers. The
# first report ends the test. Needs no GPU and no libtorch; builds in target/sanitize. Flags go
# to `cargo test`.
#
# Leaks are not looked for: the emulated driver itself says what was not freed.
set -euo pipefail
cd "$(dirname "$0")/../.."

export CARGO_TARGET_DIR=target/sanitize
export FM_EMULATED_SANITIZE="address undefined"
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1
export UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1
# The library is opened by a program that knows nothing of the sanitizer.
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="env LD_PRELOAD=$(g++ -print-file-name=libasan.so)"
exec cargo test --locked -p fm-cuda --test driver --test failures --test training "$@"
