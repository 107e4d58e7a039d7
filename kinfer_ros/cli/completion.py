"""`python -m kinfer_ros completion bash`: a script with which the Tab key knows every command.

It is written from the parsers themselves, so that it cannot know other options than they do.
"""

from __future__ import annotations

import argparse
import importlib
import shlex
import sys
from collections.abc import Mapping
from collections.abc import Sequence

from kinfer_ros.cli.common import run_command
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.cli.parsers import subcommands
from kinfer_ros.launching.arguments import ARGUMENTS
from kinfer_ros.share import share_dir

SCRIPT = r"""# Completion of `python -m kinfer_ros`; written by its command `completion bash`.
_kinfer_ros_words() {
  case $1 in
@TABLE@
  esac
}

_kinfer_ros() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} place='' words=''
  if [[ ${COMP_WORDS[1]} != -m || ${COMP_WORDS[2]} != kinfer_ros || $COMP_CWORD -lt 3 ]]; then
    [[ -z $_kinfer_ros_else ]] || "$_kinfer_ros_else" "$@"
    return
  fi
  if (( COMP_CWORD > 3 )); then
    place=${COMP_WORDS[3]}
    if (( COMP_CWORD > 4 )) && [[ -n $(_kinfer_ros_words "$place ${COMP_WORDS[4]}") ]]; then
      place+=" ${COMP_WORDS[4]}"
    fi
  fi
  if [[ $current == ':=' ]]; then  # name:=value comes as three words
    before=$before:= current=''
  elif [[ $before == ':=' ]]; then
    before=${COMP_WORDS[COMP_CWORD-2]}:=
  fi
  words=$(_kinfer_ros_words "$place $before")
  [[ -n $words ]] || words=$(_kinfer_ros_words "$place")
  # Options are offered once a - stands there: else the files of the folder are meant.
  local word
  COMPREPLY=()
  for word in $words; do
    [[ $word == -* && $current != -* ]] || COMPREPLY+=("$word")
  done
  mapfile -t COMPREPLY < <(compgen -W "${COMPREPLY[*]}" -- "$current")
  [[ ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
}

if [[ $(complete -p python 2>/dev/null) =~ -F\ ([^ ]+) ]]; then
  [[ ${BASH_REMATCH[1]} == _kinfer_ros ]] || _kinfer_ros_else=${BASH_REMATCH[1]}
fi
complete -o default -F _kinfer_ros python python3
"""


def main(argv: Sequence[str] | None = None) -> int:
    """:return: the exit code: 0, or 2 for a user's mistake."""
    return run_command(_command, argv)


def _command(argv: Sequence[str] | None) -> int:
    make_parser().parse_args(argv)
    print(SCRIPT.replace('@TABLE@', _table(collect())), end='')
    return 0


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'completion',
        'Print a script for the shell: once it is sourced (in .bashrc, say) the Tab key completes '
        'commands, options and names of robots behind `python -m kinfer_ros`.',
        'completion bash > ~/.kinfer_ros.bash',
        codes='0: it is printed',
    )
    parser.add_argument('shell', choices=('bash',), help='which shell')
    return parser


def collect() -> dict[str, list[str]]:
    """
    Collect what can be said where.

    :return: by place (`kos`, `kos state`, `runs --verdict`) the words that can come there.
    """
    # Here, because the door imports this module.
    from kinfer_ros.__main__ import COMMANDS
    from kinfer_ros.__main__ import module_of

    found: dict[str, list[str]] = {'': sorted([*COMMANDS, 'help'])}
    found['help'] = sorted(COMMANDS)
    for name in COMMANDS:
        if name == 'walk':
            continue
        try:
            module = importlib.import_module(module_of(name))
        except ModuleNotFoundError as error:
            print(f'completion: without the options of {name} ({error})', file=sys.stderr)
            continue
        _add_parser(found, name, module.make_parser())
    found['walk'] = [f'{argument.name}:=' for argument in ARGUMENTS]
    for argument in ARGUMENTS:
        values = robots() if argument.name == 'robot' else list(argument.choices)
        if values:
            found[f'walk {argument.name}:='] = values
    return found


def _add_parser(found: dict[str, list[str]], place: str, parser: argparse.ArgumentParser) -> None:
    words: list[str] = []
    for action in parser._actions:  # argparse has no public list of them
        words += action.option_strings
        choices = [str(choice) for choice in action.choices or ()]
        if '--robot' in action.option_strings:
            choices = robots()
        if not action.option_strings:
            words += choices
        elif choices:
            found.update({f'{place} {option}': choices for option in action.option_strings})
    found[place] = words
    for name, each in subcommands(parser).items():
        _add_parser(found, f'{place} {name}', each)


def robots() -> list[str]:
    """Names of the robots in config/robots."""
    return sorted(path.stem for path in (share_dir() / 'config' / 'robots').glob('*.yaml'))


def _table(found: Mapping[str, Sequence[str]]) -> str:
    return '\n'.join(
        f'    {shlex.quote(place)}) echo {shlex.quote(" ".join(words))} ;;'
        for place, words in found.items()
    )


if __name__ == '__main__':
    raise SystemExit(main())
