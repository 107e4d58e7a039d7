#!/usr/bin/env bash
# Walks the robot: what `make walk` runs. Arguments are handed on (viewer:=true, seed:=3, ...).

source "$(dirname "${BASH_SOURCE[0]}")/workspace.sh"

arguments=("duration:=$DURATION" "vx:=$VX" "vy:=$VY" "wz:=$WZ")
if sourced_ros; then
  prepare ros
else
  prepare wheels
fi
if [ -n "${VIDEO:-}" ]; then
  in_venv video.stamp 'Installing the video encoder (once)' requirements/video.txt
  arguments+=("video:=$VIDEO")
fi
case " ${arguments[*]} $* " in
  *' bridge:=kos '*) in_venv kos.stamp 'Installing the client of KOS (once)' requirements/kos.txt ;;
  *' bridge:=unitree '*) in_venv unitree.stamp 'Installing Cyclone DDS (once)' requirements/unitree.txt ;;
esac
enter
if [ "$flavour" = wheels ]; then
  # exec, so that Ctrl-C and the exit code are the robot's own.
  # -P: the installed package runs, not the folder that happens to be the current one.
  exec "$python" -P -m kinfer_ros walk "${arguments[@]}" "$@"
fi

# ros2 with our Python, which sees ROS 2's packages and ours. A launch knows nothing of a robot that
# is in the graph already, and nothing of falls: these are asked before and after.
ros2=$(command -v ros2) || fail 'launch_ros can be imported, but there is no ros2 on PATH'
before=$(readlink runs/latest || true)
"$python" -P -m kinfer_ros.cli.walk.probe "${arguments[@]}" "$@"
"$python" "$ros2" launch kinfer_ros walk.launch.py "${arguments[@]}" "$@"
[ "$(readlink runs/latest || true)" != "$before" ] || fail 'the launch made no run, see above'
"$python" -P -m kinfer_ros verdict runs/latest
