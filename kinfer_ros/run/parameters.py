"""The parameters of the policy node. Those that may change live are fields of LiveSettings."""

from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.parameters import Declared
from kinfer_ros.parameters import declared
from kinfer_ros.untrusted import LOAD_MEMORY_MB
from kinfer_ros.untrusted import LOAD_SECONDS

STRUCTURE = (
    Declared('model', '', '',
             'Policy file, .kinfer or .onnx. Read at configure and ~/load_model.'),
    Declared('spec', '', '',
             'Policy spec (YAML) of an .onnx file that takes one flat vector. Read with the '
             'model.'),
    Declared('policies', '', '',
             'Policy set (YAML): several policies in place of model and spec, see '
             'docs/policy_sets.md. Read at configure and ~/load_model.'),
    Declared('policy', '', '',
             'The policy of the set that runs. Setting it in mode run asks for another one, which '
             'follows where a transition of the set leads to it; never in a params_file.'),
    Declared('inference_threads', 1, '',
             'Threads of onnxruntime. More are faster for a large network on idle cores, but late '
             'by milliseconds when another program takes one of them. Read with the model.',
             1, 64),
    Declared('load_timeout', LOAD_SECONDS, 's',
             'Time in which the model has to be loaded and run once, in a process of its own; '
             'longer, and it is refused. Read with the model.', 1.0, 3600.0),
    Declared('load_memory_mb', LOAD_MEMORY_MB, 'MB',
             'Memory that the model may take there, beyond that of ONNX Runtime; more, and it is '
             'refused. Read with the model.', 16, 1000000),
    Declared('robot', '', '',
             'Robot: a name in config/robots, or the path of a YAML. Read at configure.'),
    Declared('imu_mounting', [0.0, 0.0, 0.0, 0.0], '',
             "Orientation of the IMU in the base frame, in place of the robot YAML's: a unit "
             "quaternion w x y z; four zeros: the YAML's. Read at configure."),
    Declared('control_rate', 0.0, 'Hz',
             'Tick rate; 0: the rate of the policy file, else 50. Read at configure.',
             0.0, 2000.0),
    Declared('other_control_rate', False, '',
             'Allow a control_rate that is not that of the policy file: the policy sees another '
             'time step than in its training. Read at configure.'),
    Declared('spin_us', 0, 'us',
             'Time before a tick in which the node watches the clock instead of sleeping: ticks '
             'are more punctual, for this share of a period in CPU time. Read at activate.',
             0, 2000),
    Declared('thread_priority', 0, '',
             'SCHED_FIFO priority (1 to 99) of the control thread; 0: an ordinary thread. Read at '
             'activate; /diagnostics has whether it was granted.', 0, 99),
    Declared('cpu_affinity', [-1], '',
             'CPUs (from 0) that the control thread may run on; -1: any. Read at activate.'),
    Declared('lock_memory', False, '', 'Keep memory out of swap (mlockall). Read at activate.'),
    Declared('lockstep', False, '',
             'Tick exactly once per control period of a simulation that waits for each command '
             '(needs use_sim_time).', read_only=True),
    Declared('autostart', False, '',
             'Configure and activate at the start, and retry until sensor_timeout.',
             read_only=True),
    Declared('auto_run', False, '',
             'Go from hold to run without ~/start. For simulated robots. Read at configure.'),
    Declared('dry_run', False, '',
             'Do everything but publish commands and gains. Read at activate.'),
    Declared('record', True, '', 'Write steps.ndjson into the run directory. Read at configure.'),
    Declared('record_battery', False, '',
             "Write the battery's charge (battery_state) into each step record. Read at "
             'configure.'),
    Declared('log_rotate_mb', 0.0, 'MB',
             'Size at which steps.ndjson is closed as a part (steps.0001.ndjson) and a new one '
             'begins; 0: never. Read at configure.', 0.0, 1e6),
    Declared('log_zstd', False, '',
             'Compress the closed parts of the log (needs log_rotate_mb). Read at configure.'),
    Declared('wait_for_recorder', False, '',
             'Activate only when a recorder follows this node, so that its bag has the whole run. '
             'walk.launch.py sets it.', read_only=True),
    Declared('runs_dir', 'runs', '', 'Directory in which each configure makes a run directory.'),
    Declared('duration', 0.0, 's',
             'Time in run after which the run ends with a fade; 0: never. Read at configure.',
             0.0, 1e6),
    Declared('default_command', [0.0, 0.0, 0.0], 'm/s, m/s, rad/s',
             'Command (linear.x, linear.y, angular.z) while no cmd_vel is alive. Leave at zero on '
             'hardware. Read at configure.'),
    Declared('cmd_vel_type', 'auto', '',
             'Type of cmd_vel: twist, twist_stamped, or auto: the one in the ROS graph.',
             read_only=True),
    Declared('policy_command_entries', [''], '',
             'Command entries of the policy, beyond the known names, that policy_command '
             'supplies. Read at configure.'),
    Declared('override_joints', [''], '',
             'Joints that another node may move, by targets on joint_overrides: arms, hands, '
             'head. Read at configure.'),
    Declared('allow_legs', False, '',
             'Allow joints of legs in override_joints. Read at configure.'),
    Declared('override_time', 0.5, 's',
             "Time in which joints move over to the other node's targets. Read at configure.",
             0.0, 60.0),
    Declared('override_return_speed', 1.0, 'rad/s',
             "Speed at which joints go back to the policy's targets once the other node is "
             'silent. Read at configure.', 0.01, 100.0),
    Declared('override_observation', 'measured', '',
             'What the policy sees of joints that another node moves: measured, or default: at '
             'rest in the start pose. Read at configure.'),
    Declared('sensor_timeout', 10.0, 's',
             'How long the start waits for sensors, gains and bridge.', 0.0, 600.0),
    Declared('max_ramp', 2.0, 'rad',
             'Largest distance of a joint from the start pose at activation; beyond it, '
             'activation is refused.', 0.0, 7.0),
    Declared('ramp_speed', 0.5, 'rad/s',
             'Speed of the fastest joint on the way to the start pose. Read at configure.',
             0.001, 10.0),
    Declared('fade_time', 1.0, 's',
             'Time in which a deactivation reduces the stiffness to zero. Read at configure.',
             0.0, 10.0),
    Declared('carry_every', 50, 'ticks',
             'Interval between two step records that hold the carry. Read at configure.',
             1, 100000),
    Declared('blend_time', 0.5, 's',
             'Time in which a policy loaded by ~/load_model takes over from the running one. Read '
             'at configure.', 0.0, 10.0),
    Declared('joy_stop_button', -1, '',
             'Button of joy (from 0) that stops like ~/stop; -1: none.', -1, 255, read_only=True),
    Declared('joy_deadman_button', -1, '',
             'Button of joy (from 0) that has to be held while the robot moves; -1: none.',
             -1, 255, read_only=True),
    Declared('allow_recovery', False, '',
             'A robot that has fallen may get up by itself, with the policy that the set names '
             '(automatic: fallen); needs joy_deadman_button. See docs/policy_sets.md, After a '
             'fall.', read_only=True),
    Declared('joy_motion_start_button', -1, '',
             'Button of joy (from 0) that starts the motion of the policy; -1: none.',
             -1, 255, read_only=True),
    Declared('joy_motion_pause_button', -1, '',
             'Button of joy (from 0) that pauses the motion; -1: none.', -1, 255, read_only=True),
    Declared('joy_motion_restart_button', -1, '',
             'Button of joy (from 0) that begins the motion again; -1: none.',
             -1, 255, read_only=True),
    Declared('joy_motion_stop_button', -1, '',
             'Button of joy (from 0) that ends the motion where it is; -1: none.',
             -1, 255, read_only=True),
    Declared('joy_timeout', 0.5, 's',
             'Age at which the last joy message is lost, and the dead-man button counts as '
             'released.', 0.05, 10.0, read_only=True),
)  # fmt: skip
"""Parameters that are read-only, or read at configure or activate."""

POLICY_PARAMETERS = STRUCTURE + declared(LiveSettings)
