# Sourced by walk.sh and test.sh: finds Python, makes the virtual environment, builds with colcon.
#
# A virtual environment or a build is made again only when what it was made from has changed, which
# a stamp inside it says; so a second `make walk` starts at once, and one that was interrupted
# half-way starts over. Without this file a user would have to follow a page of steps in order.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 2
}

# stage TEXT COMMAND...: one line with the time it took; its output is shown only when it fails.
# (Inside `if` bash does not stop at a failing line: a COMMAND of several steps joins them by &&.)
stage() {
  local text=$1 started=$SECONDS output
  shift
  output=$(mktemp)
  printf '%s ... ' "$text"
  if "$@" >"$output" 2>&1 </dev/null; then
    printf '%d s\n' $((SECONDS - started))
    rm -f "$output"
  else
    printf 'failed\n'
    cat "$output" >&2
    rm -f "$output"
    return 1
  fi
}

digest() {
  sha256sum | cut -d ' ' -f 1
}

sourced_ros() {
  python3 -c 'import launch_ros' 2>/dev/null
}

# Whatever another ROS 2 or another distribution's wheels left in the environment would be loaded in
# place of ours.
forget_other_ros() {
  if [ -n "${AMENT_PREFIX_PATH:-}${_ROS_WHEELS_BOOTSTRAP_COMPLETE:-}" ]; then
    unset LD_LIBRARY_PATH
  fi
  unset AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH COLCON_CURRENT_PREFIX PYTHONPATH
  unset PYTHONHOME RMW_IMPLEMENTATION _ROS_WHEELS_BOOTSTRAP_COMPLETE
}

# Sets `base` to the interpreter that the virtual environment is made from.
find_python() {
  local candidates=(python3 python3.12 python3.13 python3.11) candidate
  if [ -n "${PYTHON:-}" ]; then
    candidates=("$PYTHON")
  elif [ "$flavour" = ros ]; then
    candidates=(python3)
  fi
  for candidate in "${candidates[@]}"; do
    base=$("$candidate" - 2>/dev/null <<'PYTHON'
import sys
import ensurepip
import venv
if not (3, 11) <= sys.version_info < (3, 14) or sys.implementation.name != 'cpython':
    sys.exit(1)
print(sys.executable)
PYTHON
    ) && return
  done
  fail "no CPython 3.11, 3.12 or 3.13 with the venv module found (tried: ${candidates[*]}).
Install one (Debian and Ubuntu: python3 and python3-venv) or name it: PYTHON=/path/to/python3.12"
}

# choose_flavour: sets `flavour` (ros or wheels), `distro`, `base`, `venv` and `space`, the name of
# the build and install folders. Each distribution has its own, so that switching costs nothing.
choose_flavour() {
  flavour=$1
  distro=${ROS_DISTRO:-kilted}
  if [ "$flavour" = ros ]; then
    space=ros-$distro
  else
    space=$distro
    forget_other_ros
    case $distro in
      kilted | jazzy) ;;
      *) fail "there are no wheels of ROS 2 '$distro': ROS_DISTRO can be kilted or jazzy, or \
source an installed ROS 2 first" ;;
    esac
    [ "$(uname -sm)" = 'Linux x86_64' ] || fail "the ROS 2 wheels are for Linux x86_64 only, and \
this is $(uname -sm): source an installed ROS 2 first"
  fi
  case $space in
    kilted) venv=$root/.venv ;;
    *) venv=$root/.venv-$space ;;
  esac
  find_python
  python=$venv/bin/python
}

pip_install() {
  "$python" -m pip install -qq --disable-pip-version-check --no-input "$@"
}

# install_wheels FILE...: requirement files, all pinned. Two things need care: empy comes as source
# only, so it is built with the setuptools that is pinned here and not with whatever is newest; and
# where ROS 2 has a numpy, its message modules were compiled against that one, so it stays.
install_wheels() {
  local wanted=$venv/wanted.txt
  cat "$@" >"$wanted"
  if [ "$flavour" = ros ] && "$base" -c 'import numpy' 2>/dev/null; then
    sed -i '/^numpy==/d' "$wanted"
  fi
  pip_install "$(grep -o '^setuptools==[^ ]*' requirements/base.txt)" &&
    pip_install --only-binary :all: --no-binary empy --no-build-isolation -r "$wanted"
}

make_venv() {
  local options=(--clear)
  [ "$flavour" = wheels ] || options+=(--system-site-packages)
  "$base" -m venv "${options[@]}" "$venv"
}

# in_venv STAMP TEXT FILE...: installs FILE... unless STAMP says that just these are there.
in_venv() {
  local stamp=$venv/$1 text=$2 made
  shift 2
  made=$({ echo "$root"; "$base" -VV; cat "$@"; } | digest)
  [ "$(cat "$stamp" 2>/dev/null)" != "$made" ] || return 0
  if [ "$stamp" = "$venv/base.stamp" ]; then
    stage "Making ${venv##*/} with $("$base" -V)" make_venv
  fi
  stage "$text" install_wheels "$@"
  echo "$made" >"$stamp"
}

colcon_build() {
  rm -rf "build/$space" "install/$space" &&
    mkdir -p "build/$space" "install/$space" &&
    "$python" -m colcon --log-base "build/$space/log" build --paths . \
      --build-base "build/$space" --install-base "install/$space" &&
    quote_interpreter
}

# setuptools writes #!"/path with spaces/python", which no kernel understands; pip's way round it.
quote_interpreter() {
  sed -i "1s|^#!\(\".*\"\)\$|#!/bin/sh\n'''exec' \1 \"\$0\" \"\$@\"\n' '''|" \
    "install/$space"/kinfer_ros/lib/kinfer_ros/*
}

# Everything that is installed, by content. --paths and the hash see the same tree.
sources() {
  echo "$root"
  cat "$venv/base.stamp"
  find package.xml setup.py setup.cfg resource launch config robots kinfer_ros \
    -name __pycache__ -prune -o -type f -print0 | sort -z | xargs -0 sha256sum
}

build() {
  local stamp=build/$space/build.stamp made
  made=$(sources | digest)
  [ "$(cat "$stamp" 2>/dev/null)" != "$made" ] || return 0
  stage "Building with colcon into install/$space" colcon_build
  echo "$made" >"$stamp"
}

# prepare ros|wheels: after this `python` can run the package and its build is up to date.
prepare() {
  choose_flavour "$1"
  if [ "$flavour" = ros ]; then
    in_venv base.stamp 'Installing what ROS 2 does not bring' requirements/base.txt
  else
    in_venv base.stamp "Installing ROS 2 ${distro^}, ONNX Runtime and MuJoCo (once)" \
      requirements/base.txt "requirements/$distro.txt"
  fi
  build
}

enter() {
  # The graph stays on this machine.
  export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_DISTRO=$distro
  # ROS writes log files of its own, by default into HOME, which a container may not have.
  export ROS_LOG_DIR=${ROS_LOG_DIR:-$root/log/ros}
  # colcon's script trips over unset variables, and over a space in the path of the Python that it
  # sorts the packages with; any Python will do for that.
  export COLCON_PYTHON_EXECUTABLE=$base
  set +u
  source "install/$space/setup.bash"
  set -u
  unset COLCON_PYTHON_EXECUTABLE
}
