"""Converts a robot's MJCF into a URDF: `robot_description` for RViz and Foxglove.

Links have the names of the MJCF's bodies, the root that of the base frame in the robot YAML; every
link frame is the body frame, so that poses agree exactly.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.etree.ElementTree import SubElement

import mujoco
import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.mujoco.model import fit_model
from kinfer_ros.errors import RobotError
from kinfer_ros.robot.robot import Joint
from kinfer_ros.robot.robot import Robot
from kinfer_ros.share import share_dir

Pose = tuple[Float64, Float64]
"""Position [3] m and unit quaternion w x y z [4]."""

VISIBLE_GROUPS = 3
"""MuJoCo's viewer shows the geom groups 0, 1 and 2."""
SPHERE = share_dir() / 'robots' / 'shapes' / 'sphere.stl'
"""Mesh of radius 1 m, scaled to ellipsoids, which URDF does not have."""
IDENTITY: Pose = (np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0]))


@dataclass(frozen=True)
class UrdfText:
    """A URDF, and one note for each part of the MJCF that it cannot represent exactly."""

    text: str
    notes: tuple[str, ...]


def mjcf_to_urdf(robot: Robot) -> UrdfText:
    """
    Convert the MJCF of a robot into a URDF; meshes are referenced as file:// addresses.

    :raises RobotError: the MJCF cannot be used, does not fit the YAML, or has a ball joint.
    """
    return _Writer(robot).write()


class _Writer:
    """Writes one robot as XML."""

    def __init__(self, robot: Robot) -> None:
        fitted = fit_model(robot)
        self._robot = robot
        self._model = fitted.model
        self._base = fitted.base
        self._limits = {joint.name: joint for joint in robot.joints}
        self._notes: list[str] = []
        self._root = Element('robot', name=robot.name)
        self._links = {fitted.base: robot.base_frame}
        assert robot.mjcf is not None  # fit_model has read it
        self._folder = robot.mjcf.parent

    def write(self) -> UrdfText:
        """Write the bodies of the robot, from its base outwards."""
        model = self._model
        bodies = [b for b in range(model.nbody) if model.body_rootid[b] == self._base]
        used = {self._robot.base_frame}
        for body in bodies[1:]:
            name = model.body(body).name or f'body_{body}'
            self._links[body] = name if name not in used else f'{name}_{body}'
            used.add(self._links[body])
        for body in bodies:
            if body != self._base:
                self._joints(body)
            self._link(body)
        self._imu(used)
        ElementTree.indent(self._root)
        text = ElementTree.tostring(self._root, encoding='unicode', xml_declaration=True)
        return UrdfText(text + '\n', tuple(dict.fromkeys(self._notes)))

    # Links -------------------------------------------------------------------------------

    def _link(self, body: int) -> None:
        model = self._model
        link = SubElement(self._root, 'link', name=self._links[body])
        if model.body_mass[body] > 0.0:
            inertial = SubElement(link, 'inertial')
            _origin(inertial, (model.body_ipos[body], model.body_iquat[body]))
            SubElement(inertial, 'mass', value=_number(model.body_mass[body]))
            ixx, iyy, izz = (_number(value) for value in model.body_inertia[body])
            SubElement(inertial, 'inertia', ixx=ixx, iyy=iyy, izz=izz, ixy='0', ixz='0', iyz='0')
        geoms = np.flatnonzero(model.geom_bodyid == body)
        visible = model.geom_group[geoms] < VISIBLE_GROUPS
        for geom, visible_geom in zip(geoms, visible, strict=True):
            if visible_geom or not visible.any():  # without visuals, show the collision shapes
                self._shapes(link, 'visual', int(geom))
            if model.geom_contype[geom] or model.geom_conaffinity[geom]:
                self._shapes(link, 'collision', int(geom))

    def _shapes(self, link: Element, role: str, geom: int) -> None:
        """Write one geom as one or more visuals or collisions."""
        for pose, tag, attributes in self._primitives(geom):
            entry = SubElement(link, role)
            _origin(entry, pose)
            SubElement(SubElement(entry, 'geometry'), tag, attributes)
            if role == 'visual':
                colour = ' '.join(f'{value:.4g}' for value in self._colour(geom))
                material = SubElement(entry, 'material', name=f'colour_{colour}'.replace(' ', '_'))
                SubElement(material, 'color', rgba=colour)

    def _colour(self, geom: int) -> Float64:
        material = self._model.geom_matid[geom]
        if material >= 0:
            return np.asarray(self._model.mat_rgba[material], np.float64)
        return np.asarray(self._model.geom_rgba[geom], np.float64)

    def _primitives(self, geom: int) -> Iterator[tuple[Pose, str, dict[str, str]]]:
        """Yield the URDF shapes of a geom: pose in the link, tag, attributes."""
        model, kinds = self._model, mujoco.mjtGeom
        pose = (model.geom_pos[geom], model.geom_quat[geom])
        kind, size = model.geom_type[geom], model.geom_size[geom]
        if kind == kinds.mjGEOM_BOX:
            yield pose, 'box', {'size': _numbers(2.0 * size)}
        elif kind == kinds.mjGEOM_SPHERE:
            yield pose, 'sphere', {'radius': _number(size[0])}
        elif kind == kinds.mjGEOM_CYLINDER:
            yield pose, 'cylinder', _cylinder(size)
        elif kind == kinds.mjGEOM_CAPSULE:
            yield pose, 'cylinder', _cylinder(size)  # URDF has no capsule
            for end in (-size[1], size[1]):
                at = _compose(pose, (np.array([0.0, 0.0, end]), IDENTITY[1]))
                yield at, 'sphere', {'radius': _number(size[0])}
        elif kind == kinds.mjGEOM_ELLIPSOID:
            yield pose, 'mesh', {'filename': SPHERE.as_uri(), 'scale': _numbers(size)}
        elif kind == kinds.mjGEOM_MESH:
            yield from self._mesh(geom, pose)
        else:
            name = kinds(int(kind)).name.removeprefix('mjGEOM_').lower()
            self._notes.append(f'a geom of type {name} is left out: URDF has none')

    def _mesh(self, geom: int, pose: Pose) -> Iterator[tuple[Pose, str, dict[str, str]]]:
        """Reference a mesh file, undoing the transform that MuJoCo applied to its vertices."""
        model = self._model
        mesh = model.geom_dataid[geom]
        address = int(model.mesh_pathadr[mesh])
        if address < 0:
            self._notes.append(f'mesh {model.mesh(mesh).name} has no file: left out')
            return
        file = bytes(model.paths)[address:].split(b'\0')[0].decode()
        path = (self._folder / file).resolve()
        at = _compose(pose, _inverse((model.mesh_pos[mesh], model.mesh_quat[mesh])))
        attributes = {'filename': path.as_uri(), 'scale': _numbers(model.mesh_scale[mesh])}
        yield at, 'mesh', attributes

    # Joints ------------------------------------------------------------------------------

    def _joints(self, body: int) -> None:
        """Write a body's joints; several, or one off its origin, need links in between."""
        model = self._model
        pose: Pose = (model.body_pos[body], model.body_quat[body])
        parent = self._links[int(model.body_parentid[body])]
        start, count = int(model.body_jntadr[body]), int(model.body_jntnum[body])
        for joint in range(start, start + count):
            anchor = model.jnt_pos[joint]
            is_last = joint == start + count - 1 and not anchor.any()
            child = self._links[body] if is_last else f'{model.joint(joint).name}_turned'
            before = _compose(pose, (anchor, IDENTITY[1]))
            self._joint(joint, parent, child, _compose(before, self._rest(joint)))
            if is_last:
                return
            SubElement(self._root, 'link', name=child)
            parent, pose = child, (-anchor, IDENTITY[1])
        self._fixed(parent, self._links[body], pose)

    def _rest(self, joint: int) -> Pose:
        """Return a joint's pose at angle zero: MuJoCo counts from `ref`."""
        model = self._model
        axis = model.jnt_axis[joint]
        zero = -float(model.qpos0[model.jnt_qposadr[joint]])
        if model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_SLIDE:
            return zero * axis, IDENTITY[1]
        quat = np.empty(4)
        mujoco.mju_axisAngle2Quat(quat, axis, zero)
        return np.zeros(3), quat

    def _joint(self, joint: int, parent: str, child: str, pose: Pose) -> None:
        model = self._model
        name = model.joint(joint).name or f'joint_{joint}'
        if model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_BALL:
            raise RobotError(
                f'MJCF {self._robot.mjcf}: joint {name} is a ball, which URDF does not have; '
                'expected hinges and slides'
            )
        yaml_joint = self._limits.get(name)
        limits = self._range(joint, yaml_joint)
        is_slide = model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_SLIDE
        rotary = 'continuous' if limits is None else 'revolute'
        entry = SubElement(
            self._root, 'joint', name=name, type='prismatic' if is_slide else rotary
        )
        SubElement(entry, 'parent', link=parent)
        SubElement(entry, 'child', link=child)
        _origin(entry, pose)
        SubElement(entry, 'axis', xyz=_numbers(model.jnt_axis[joint]))
        lower, upper = limits or (-math.pi, math.pi)
        effort = yaml_joint.torque_limit if yaml_joint else 0.0
        speed = yaml_joint.velocity_limit if yaml_joint else 0.0
        bounds = {'lower': _number(lower), 'upper': _number(upper)} if limits or is_slide else {}
        SubElement(
            entry, 'limit', {**bounds, 'effort': _number(effort), 'velocity': _number(speed)}
        )

    def _range(self, joint: int, yaml_joint: Joint | None) -> tuple[float, float] | None:
        if yaml_joint is not None:
            return yaml_joint.lower, yaml_joint.upper
        if not self._model.jnt_limited[joint]:
            return None
        low, high = self._model.jnt_range[joint]
        return float(low), float(high)

    def _fixed(self, parent: str, child: str, pose: Pose) -> None:
        entry = SubElement(self._root, 'joint', name=f'{child}_fixed', type='fixed')
        SubElement(entry, 'parent', link=parent)
        SubElement(entry, 'child', link=child)
        _origin(entry, pose)

    def _imu(self, used: set[str]) -> None:
        """Add the IMU frame, where no body has its name."""
        frame = self._robot.imu_frame
        if not frame or frame in used:
            return
        site = self._model.sensor_objid[self._model.sensor('kinfer_ros_imu_gyro').id]
        body = int(self._model.site_bodyid[site])
        SubElement(self._root, 'link', name=frame)
        pose = (self._model.site_pos[site], self._model.site_quat[site])
        self._fixed(self._links[body], frame, pose)


def _origin(parent: Element, pose: Pose) -> None:
    position, quat = pose
    SubElement(parent, 'origin', xyz=_numbers(position), rpy=_numbers(_rpy(quat)))


def _cylinder(size: Float64) -> dict[str, str]:
    return {'radius': _number(size[0]), 'length': _number(2.0 * size[1])}


def _compose(first: Pose, then: Pose) -> Pose:
    position, quat = np.empty(3), np.empty(4)
    mujoco.mju_mulPose(position, quat, first[0], first[1], then[0], then[1])
    return position, quat


def _inverse(pose: Pose) -> Pose:
    position, quat = np.empty(3), np.empty(4)
    mujoco.mju_negPose(position, quat, pose[0], pose[1])
    return position, quat


def _rpy(quat: Float64) -> Float64:
    """Roll, pitch and yaw (rad) about the fixed axes, as URDF has them: Rz Ry Rx."""
    matrix = np.empty(9)
    mujoco.mju_quat2Mat(matrix, quat)
    r = matrix.reshape(3, 3)
    pitch = math.atan2(-r[2, 0], math.hypot(r[0, 0], r[1, 0]))
    if math.hypot(r[0, 0], r[1, 0]) > 1e-9:
        return np.array([math.atan2(r[2, 1], r[2, 2]), pitch, math.atan2(r[1, 0], r[0, 0])])
    # Pitch of +-90 degrees: only the difference or sum of roll and yaw is defined.
    return np.array([math.atan2(-r[1, 2], r[1, 1]), pitch, 0.0])


def _number(value: float) -> str:
    return f'{float(value) + 0.0:.12g}'  # no -0


def _numbers(values: Float64) -> str:
    return ' '.join(_number(value) for value in values)
