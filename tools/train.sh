#!/usr/bin/env bash
# Trains the policy that ships with the package: what `make train` runs. Arguments go to the
# trainer. It needs torch, which nothing else here does, so it has a virtual environment of its own.

source "$(dirname "${BASH_SOURCE[0]}")/workspace.sh"

flavour=wheels
forget_other_ros
find_python
venv=$root/.venv-train
python=$venv/bin/python
in_venv base.stamp 'Installing the training tools (once)' training/requirements.txt
exec "$python" -m training.train "$@"
