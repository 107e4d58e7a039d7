"""The battery of a KOS robot, as its actuators measure it."""

import numpy as np
from sensor_msgs.msg import BatteryState

from kinfer_ros.bridges.kos.sample import Health
from kinfer_ros.nodes import sample_messages


def battery_message(health: Health) -> BatteryState | None:
    """
    Return voltage and current as the actuators measure them; None if none does.

    KOS does not know the charge: it stays NaN, which is unknown in BatteryState.
    """
    volts = health.voltage[np.isfinite(health.voltage)]
    if not len(volts):
        return None
    amps = health.current[np.isfinite(health.current)]
    nan = float('nan')
    current = -float(amps.sum()) if len(amps) else nan
    return sample_messages.battery_message(float(np.median(volts)), current, nan)
