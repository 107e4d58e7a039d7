"""Draw the policies: `MUJOCO_GL=egl python -m training.picture robots/biped biped.png`.

One scene in which the robot is several times: it stands, walks in two moments, and crouches.
"""

from __future__ import annotations

import argparse
import struct
import sys
import zlib
from pathlib import Path

import mujoco
import numpy as np

from training import interface as io
from training.evaluate import Disturbance
from training.evaluate import Policy
from training.evaluate import Simulation

SPEED = 0.4
SPACING = 0.52  # m between the robots in the picture
FIRST_PHASE = 8  # ticks into a gait cycle: the left foot is at its highest
SETTLED = 100  # ticks after which a posture is held
WIDTH, HEIGHT = 1200, 600


def poses(folder: Path) -> list[np.ndarray]:
    """Run the three policies from the start, and keep four moments."""
    stand, walk, crouch = (
        run(Policy(folder / f'{name}.kinfer')) for name in ('stand', 'walk', 'crouch')
    )
    begin = 4 * io.GAIT_TICKS + FIRST_PHASE
    # Half a cycle shows the other leg, and a little more shows another moment of the step.
    later = begin + io.GAIT_TICKS // 2 + 3
    return [stand[SETTLED], walk[begin], walk[later], crouch[SETTLED]]


def run(policy: Policy) -> list[np.ndarray]:
    """Run a policy, and keep the pose of each tick."""
    simulation = Simulation(policy)
    rng = np.random.default_rng(0)
    simulation.reset()
    kept = []
    for _ in range(6 * io.GAIT_TICKS):
        simulation.tick((SPEED, 0.0, 0.0), Disturbance(), rng)
        kept.append(simulation.data.qpos.copy())
    return kept


def crowd(count: int) -> mujoco.MjModel:
    """Build a scene with several robots."""
    scene = mujoco.MjSpec.from_file(str(io.ROBOT_XML))
    scene.delete(scene.key('home'))
    scene.visual.global_.fovy = 25.0
    scene.visual.global_.offwidth, scene.visual.global_.offheight = 2 * WIDTH, 2 * HEIGHT
    for moment in range(1, count):
        robot = mujoco.MjSpec.from_file(str(io.ROBOT_XML))
        robot.delete(robot.key('home'))
        robot.delete(robot.geom('floor'))
        robot.delete(robot.light('sun'))
        scene.attach(robot, prefix=f'{moment}_', frame=scene.worldbody.add_frame())
    return scene.compile()


def draw(qpos: list[np.ndarray]) -> np.ndarray:
    """Render the moments side by side."""
    model = crowd(len(qpos))
    data = mujoco.MjData(model)
    width = len(qpos[0])
    for moment, pose in enumerate(qpos):
        placed = pose.copy()
        placed[:2] = (moment - 0.5 * (len(qpos) - 1)) * SPACING, 0.0
        data.qpos[moment * width : (moment + 1) * width] = placed
    mujoco.mj_forward(model, data)
    camera = mujoco.MjvCamera()
    camera.lookat = (0.03, 0.0, 0.43)
    camera.distance, camera.azimuth, camera.elevation = 3.0, 112.0, -9.0
    with mujoco.Renderer(model, 2 * HEIGHT, 2 * WIDTH) as renderer:
        options = mujoco.MjvOption()
        options.geomgroup[3] = options.sitegroup[4] = 0
        renderer.update_scene(data, camera, options)
        image = renderer.render().astype(np.float32)
    # Rendered at twice the size: the mean of four pixels has smooth edges on any driver.
    smooth: np.ndarray = image.reshape(HEIGHT, 2, WIDTH, 2, 3).mean((1, 3))
    return smooth.round().astype(np.uint8)


def write_png(path: Path, image: np.ndarray) -> None:
    """Write an RGB image; a few lines spare a dependency."""
    height, width, _ = image.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), image.reshape(height, -1)], 1)

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack('>I', len(content)) + body + struct.pack('>I', zlib.crc32(body))

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', header)
        + chunk(b'IDAT', zlib.compress(rows.tobytes(), 9))
        + chunk(b'IEND', b'')
    )


def main(argv: list[str] | None = None) -> int:
    """Make the picture."""
    parser = argparse.ArgumentParser(prog='python -m training.picture', description=__doc__)
    parser.add_argument('folder', type=Path, help='with stand.kinfer, walk.kinfer, crouch.kinfer')
    parser.add_argument('image', type=Path)
    arguments = parser.parse_args(argv)
    arguments.image.parent.mkdir(parents=True, exist_ok=True)
    write_png(arguments.image, draw(poses(arguments.folder)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
