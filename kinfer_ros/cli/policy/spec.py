"""`python -m kinfer_ros spec new`: an annotated template of a policy spec, to be filled in."""

import argparse
from pathlib import Path

from kinfer_ros.cli.common import command
from kinfer_ros.cli.drafts import print_places
from kinfer_ros.cli.drafts import written
from kinfer_ros.cli.parsers import PROGRAM
from kinfer_ros.cli.parsers import add_epilog
from kinfer_ros.cli.parsers import add_force_argument
from kinfer_ros.cli.parsers import add_robot_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.spec.template import SpecTemplate
from kinfer_ros.policy.trial import TrialLimits
from kinfer_ros.policy.trial import try_policy
from kinfer_ros.robot.robot import load_robot

WRITTEN = '0: the template was written'
EXAMPLE = 'spec new policy.onnx --robot my_robot.yaml --out policy.spec.yaml'


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'spec',
        'Make a policy spec (docs/specs.md). Where the file of the policy, or one beside it, says '
        'what it was trained with, `import` does it.',
        EXAMPLE,
        codes=WRITTEN,
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    new = commands.add_parser(
        'new',
        help='write a template from the shapes of a network and a robot file',
        description='Write an annotated template of a policy spec from the shapes of a network '
        'and a robot file. What only the training knows is a place to FILL IN, with a guess; '
        '`check` names those that are left.',
    )
    add_epilog(new, EXAMPLE, codes=WRITTEN)
    add = new.add_argument
    add('model', type=Path, metavar='MODEL', help='.onnx file that takes flat vectors')
    add_robot_argument(new)
    add('--out', type=Path, metavar='FILE', help='output file (default: MODEL.spec.yaml, here)')
    add_force_argument(new)
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0, or 2 for a user error."""
    model: Path = arguments.model
    archive = read_archive(model)
    if archive.init_fn is not None:
        raise ModelError(f'{model}: a kinfer archive needs no spec; expected .onnx')
    try_policy(archive, None, 1, TrialLimits(), only_graph=True)
    graph = Graph(archive.step_fn, str(model), external=archive.external)
    if not graph.inputs or not graph.outputs:
        raise ModelError(f'{model}: found no input or no output, expected both: it is no policy')
    robot = load_robot(arguments.robot)
    template = SpecTemplate(model.stem, graph.inputs, graph.outputs, robot)
    out: Path = arguments.out or Path(f'{model.stem}.spec.yaml')
    with written({out: template.text()}, overwrite=arguments.force) as places:
        pass
    print(f'wrote {out}: a template')
    for name, guesses in template.guesses.items():
        print(
            f'{name}: {guesses[0] if guesses else "no usual observation has its size"} (a guess)'
        )
    if graph.metadata:
        print(f'note: the file has metadata; if they are those of an exporter, {PROGRAM} import '
              f'{model} reads them')  # fmt: skip
    print_places(places)
    print(f'then run: {PROGRAM} check {model} --spec {out} --robot {arguments.robot}')
    return 0
