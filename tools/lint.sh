#!/usr/bin/env bash
# ruff, mypy --strict over all that imports no ROS, and a look at what git tracks: what `make lint` runs.

source "$(dirname "${BASH_SOURCE[0]}")/workspace.sh"
source tools/tested.sh

prepare_tested
found=0
"$python" -m ruff check --output-format concise . || found=1
"$python" -m mypy || found=1
"$python" tools/tracked_files.py || found=1
exit "$found"
