"""run.json says what software made the run, without importing any of it."""

from __future__ import annotations

import subprocess
import sys

from kinfer_ros.run import versions


def test_versions_name_what_changes_numbers():
    """Two logs can only be compared when both say which runtime made them."""
    found = versions.versions()
    for key in ('python', 'numpy', 'onnxruntime', 'orjson', 'rclpy', 'mujoco', 'ros_distro'):
        assert key in found
    assert found['numpy']
    assert versions.host()['cpus'] >= 1


def test_absent_package_is_null():
    """The pure core runs without ROS and without MuJoCo."""
    assert versions.version_of('no-such-package-here') is None


def test_named_distribution_wins(monkeypatch):
    """A sourced ROS environment knows its own name."""
    monkeypatch.setenv('ROS_DISTRO', 'rolling')
    assert versions.ros_distro() == 'rolling'
    monkeypatch.delenv('ROS_DISTRO')
    assert versions.ros_distro() in ('humble', 'jazzy', 'kilted', None)


def test_nothing_heavy_is_imported():
    """Asking for mujoco's version must not cost its import."""
    code = (
        'import sys; from kinfer_ros.run.versions import versions; versions();'
        "assert not {'mujoco', 'onnxruntime', 'rclpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, '-c', code], check=True, timeout=60)
