#!/usr/bin/env bash
# Builds the docs into build/docs, strictly: what `make docs` runs. Sphinx pins a docutils of its own,
# so it has a virtual environment of its own, without ROS.

source "$(dirname "${BASH_SOURCE[0]}")/workspace.sh"

flavour=wheels
forget_other_ros
find_python
venv=$root/.venv-docs
python=$venv/bin/python
in_venv base.stamp 'Installing Sphinx (once)' requirements/docs.txt
"$python" -m sphinx --fail-on-warning --keep-going --quiet -b html docs build/docs
echo "built build/docs/index.html"
