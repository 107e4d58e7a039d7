#!/usr/bin/env bash
# The benchmarks: what `make bench` runs. Arguments choose, `ARGS="step node" make bench`, and
# QUICK=1 takes a minute. The figures are also written to benchmarks.json, and with ARGS=--page into
# docs/performance.md.

source "$(dirname "${BASH_SOURCE[0]}")/workspace.sh"
source tools/tested.sh

prepare_tested
find_peer
enter
exec "$python" benchmarks/suite.py ${QUICK:+--quick} "$@"
