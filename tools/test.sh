#!/usr/bin/env bash
# The linters once, the tests that need no ROS 2 once and without it, and those that need it on
# every distribution in DISTROS: what `make test` runs.
# With a distribution's name as its argument: all tests on that one; with `ros` behind it, those
# with the mark `ros` (see test/conftest.py). With LONG=1 those with the mark `long` and no others.

source "$(dirname "${BASH_SOURCE[0]}")/workspace.sh"
source tools/tested.sh

# Two tests at a time, files as a whole, since their tests share processes: two is what a machine
# with two cores runs without being late. A worker that crashes ends the run: xdist may hang after it.
# Those with the mark `alone` follow, one at a time.
PARALLEL=(-n 2 --dist loadfile --max-worker-restart 0)

without_ros() {
  printf '\n== Tests that need no ROS 2, without it\n'
  PYTHONPATH=$root/test/without_ros:$root "$python" -m pytest "${PARALLEL[@]}" -m "not ros and $chosen" \
    --junit-xml "$reports/without_ros.xml" "${arguments[@]}" || [ $? -eq 5 ]  # 5: none selected
}

# with_ros NAME ARGUMENTS...: as ROS 2 has a package tested.
with_ros() {
  local name=$1 given=("${@:2}" "${arguments[@]}")
  printf '\n== Tests that need ROS 2 %s: %s\n' "${distro^}" "$name"
  "$python" -m colcon --log-base "build/$space/log" test --paths . --build-base "build/$space" \
    --install-base "install/$space" --test-result-base "$reports/$name" \
    --event-handlers console_direct+ --return-code-on-test-failure \
    --pytest-args "${given[@]/#/ }"
}

test_one() {
  local arguments=() marked=$1 reports=$root/build/$space/tests tested=0
  eval "arguments=($TEST_ARGS)"  # as a shell reads it, so that -k 'a or b' stays one word
  rm -rf "$reports"
  find_peer
  [ "$marked" = ros ] || without_ros || tested=1
  enter
  with_ros together "${PARALLEL[@]}" -m "ros and not alone and $chosen" || tested=1
  with_ros alone -m "ros and alone and $chosen" || tested=1
  "$python" -m colcon test-result --test-result-base "$reports" --verbose
  "$python" tools/tests_ran.py "$reports" "${marked:+$marked and }$chosen" "${arguments[@]}" || tested=1
  return "$tested"
}

DISTROS=${DISTROS:-kilted jazzy}
TEST_ARGS=${TEST_ARGS:-}
chosen='not long' marked=
[ "${LONG:-}" != 1 ] || chosen='long' marked=ros
if [ $# -gt 0 ]; then
  export ROS_DISTRO=$1
  prepare_tested
  test_one "${2:-}"
  exit
fi

failed=()
[ "${LONG:-}" = 1 ] || ROS_DISTRO=${DISTROS%% *} tools/lint.sh || failed+=(lint)
for name in $DISTROS; do
  printf '\n== ROS 2 %s\n' "${name^}"
  tools/test.sh "$name" $marked || failed+=("$name")
  marked=ros
done
if [ ${#failed[@]} -gt 0 ]; then
  printf '\nfailed: %s\n' "${failed[*]}"
  exit 1
fi
