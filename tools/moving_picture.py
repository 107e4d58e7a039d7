"""Draw docs/images/biped.webp: `python tools/moving_picture.py`.

The biped stands, walks, is pushed, stands again and crouches: one policy set, in lockstep, so that
the same picture comes out each time. Needs Pillow (requirements/plot.txt) and off-screen OpenGL.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from kinfer_ros.bridges.mujoco.robot import MujocoRobot  # noqa: E402
from kinfer_ros.control.modes import Mode  # noqa: E402
from kinfer_ros.run.parameters import POLICY_PARAMETERS  # noqa: E402
from kinfer_ros.run.setup import load_setup  # noqa: E402
from kinfer_ros.simulate import Simulation  # noqa: E402
from kinfer_ros.viewers.film import Renderer  # noqa: E402
from kinfer_ros.viewers.shot import Shot  # noqa: E402

PICTURE = ROOT / 'docs' / 'images' / 'biped.webp'
MAX_BYTES = 1_500_000
DRAWN = (1280, 720)
CROP = (240, 190, 1040, 640)  # the robot, of what the camera sees
SIZE = (640, 360)
FPS = 12.5
TICKS_A_FRAME = 4  # of 50 Hz
SPEED = 0.4  # m/s
PUSH = (0.0, 0.4, 0.0)  # m/s
SCRIPT = {1.0: 'walk', 5.5: 'stand', 7.5: 'crouch', 9.0: 'stand'}
"""s of the run -> the policy that is asked for."""
PUSHED, END = 3.2, 10.5  # s


def frames() -> list[np.ndarray]:
    """Run the set, and draw every fourth tick of the run."""
    with tempfile.TemporaryDirectory() as runs:
        given = {entry.name: entry.default for entry in POLICY_PARAMETERS}
        given |= {'policies': str(ROOT / 'robots/biped/set.yaml'), 'robot': 'biped'}
        given |= {'runs_dir': runs, 'auto_run': True, 'default_command': [SPEED, 0.0, 0.0]}
        loaded = load_setup(given)
    robot = MujocoRobot(loaded.robot, seed=0)
    renderer = Renderer(robot, Shot(video_size=DRAWN))
    drawn: list[np.ndarray] = []
    ticks = 0

    def follow(simulation: Simulation) -> None:
        nonlocal ticks
        controller = simulation.controller
        if controller.mode is not Mode.RUN:
            return
        asked = SCRIPT.get(round(ticks / 50, 2))
        if asked:
            controller.policies.ask(asked)
        if ticks == round(PUSHED * 50):
            robot.push(PUSH)
        if ticks % TICKS_A_FRAME == 0:
            drawn.append(renderer.draw(robot.data.qpos))
        ticks += 1

    Simulation(loaded.controller, robot).run(END + 2.0, follow)
    renderer.close()
    assert loaded.controller.mode is Mode.RUN, loaded.controller.reason
    return drawn


def main() -> int:
    """Write the picture."""
    images = [Image.fromarray(frame).crop(CROP).resize(SIZE) for frame in frames()]
    first, *others = images
    first.save(
        PICTURE, save_all=True, append_images=others, duration=round(1000 / FPS), loop=0,
        quality=55, method=4,
    )  # fmt: skip
    size = PICTURE.stat().st_size
    print(f'{PICTURE.relative_to(ROOT)}: {len(images)} frames, {size / 1000:.0f} kB')
    return int(size > MAX_BYTES)


if __name__ == '__main__':
    raise SystemExit(main())
