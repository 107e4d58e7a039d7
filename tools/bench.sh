#!/usr/bin/env bash
# Every benchmark in turn: what `make bench` runs. Arguments choose: `ARGS=step make bench` runs
# benchmarks/step.py alone. Files whose name starts with _ are what the others share.

source "$(dirname "${BASH_SOURCE[0]}")/workspace.sh"
source tools/tested.sh

prepare_tested
enter
if [ $# -eq 0 ]; then
  for file in benchmarks/[!_]*.py; do
    name=${file##*/}
    set -- "$@" "${name%.py}"
  done
fi
for name in "$@"; do
  [ -f "benchmarks/$name.py" ] || fail "there is no benchmarks/$name.py"
  printf '\n== %s\n' "$name"
  "$python" "benchmarks/$name.py"
done
