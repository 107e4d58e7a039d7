#!/usr/bin/env bash
# The linters once, then the whole suite on every distribution in DISTROS: what `make test` runs.
# With a distribution's name as its argument: the suite on that one.

source "$(dirname "${BASH_SOURCE[0]}")/workspace.sh"
source tools/tested.sh

test_one() {
  local arguments=()
  eval "arguments=($TEST_ARGS)"  # as a shell reads it, so that -k 'a or b' stays one word
  prepare_tested
  find_peer
  enter
  local tested=0
  "$python" -m colcon --log-base "build/$space/log" test --paths . --build-base "build/$space" \
    --install-base "install/$space" --event-handlers console_direct+ \
    --return-code-on-test-failure --pytest-args "${arguments[@]/#/ }" || tested=$?
  "$python" -m colcon test-result --test-result-base "build/$space" --verbose
  return "$tested"
}

DISTROS=${DISTROS:-kilted jazzy}
TEST_ARGS=${TEST_ARGS:-}
if [ $# -gt 0 ]; then
  export ROS_DISTRO=$1
  test_one
  exit
fi

failed=()
ROS_DISTRO=${DISTROS%% *} tools/lint.sh || failed+=(lint)
for name in $DISTROS; do
  printf '\n== ROS 2 %s\n' "${name^}"
  tools/test.sh "$name" || failed+=("$name")
done
if [ ${#failed[@]} -gt 0 ]; then
  printf '\nfailed: %s\n' "${failed[*]}"
  exit 1
fi
