#!/usr/bin/env bash
# Trains in a terminal of 80 columns (tmux) and looks at the screen: while a run trains, a bar of one line that says of
# what it is; afterwards, a line per epoch and nothing that has wrapped.
#
#   scripts/terminal.sh [FLAG…]    prints both screens; flags of train, such as --dataset DIR
#   FM_EXP=PATH                    another binary than the debug build
#
# Exit code 0 with the reason where tmux is not installed.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v tmux >/dev/null || { echo "terminal: skipped, tmux is not installed"; exit 0; }
fm_exp=$(realpath "${FM_EXP:-target/debug/fm-exp}")
place=$(mktemp -d)
socket="$place/tmux"
trap 'tmux -S "$socket" kill-server 2>/dev/null || true; rm -rf "$place"' EXIT
die() { echo "terminal: error: $1" >&2; printf '%s\n' "${2:-}" >&2; exit 1; }

epochs=5
printf -v command '%q ' "$fm_exp" train --device cpu --arch 32C3-MP2-64C3-MP2--64-32 --epochs $epochs \
  "$@" --out "$place/out" --name run
tmux -S "$socket" -f /dev/null new-session -d -x 80 -y 50 "bash --norc -c '$command; echo \"ended with \$?\"; sleep 1000'"
screen() { tmux -S "$socket" capture-pane -p; }

during=
for _ in $(seq 1 1200); do
  now=$(screen)
  if grep -q '% of run' <<<"$now" && grep -q 'last epoch: loss' <<<"$now"; then during=$now; fi
  if grep -q 'ended with' <<<"$now"; then break; fi
  sleep 0.05
done
after=$(screen)
printf '%s\n' "--- while it trains" "$during" "--- afterwards" "$after" | sed -e '/^$/d'
[ -n "$during" ] || die "no bar with '% of run' and 'last epoch: loss' was seen" "$after"
bars=$(grep -c '% of run' <<<"$during")
[ "$bars" = 1 ] || die "the bar is on $bars lines" "$during"
bar=$(grep '% of run' <<<"$during")
[[ $bar =~ ^epoch\ [0-9]+/$epochs\ .*[0-9]+%\ of\ run\ \ eta\ .*last\ epoch:\ loss\ [0-9.]+$ ]] ||
  die "the bar is cut or has something else in it" "$bar"
grep -q 'ended with 0' <<<"$after" || die "the run failed" "$after"
for epoch in $(seq 1 $epochs); do
  grep -Eq "^epoch $epoch/$epochs  loss .*  val acc [0-9.]+  [0-9.]+ s$" <<<"$after" ||
    die "epoch $epoch has no whole line" "$after"
done
grep -q '% of run' <<<"$after" && die "the bar is left on the screen" "$after"
echo "terminal: 80 columns hold the bar and the line of each of $epochs epochs"
