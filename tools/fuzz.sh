#!/usr/bin/env bash
# Reads damaged messages of every type that a node takes: what `make fuzz` runs.

source "$(dirname "${BASH_SOURCE[0]}")/workspace.sh"
source tools/tested.sh

prepare_tested
enter
PYTHONPATH=test:$PYTHONPATH exec "$python" test/ros/fuzz_messages.py "$SEED" "$SAMPLES"
