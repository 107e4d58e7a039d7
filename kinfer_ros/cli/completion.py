"""`python -m kinfer_ros completion bash|zsh`: a script that completes every command.

shtab writes it from the parsers of the commands. Added here is what shtab cannot know: the program
is three words long (`python -m kinfer_ros`), and `walk` takes `name:=value`, which bash splits
into three words.
"""

import argparse
import importlib
import re
import shlex
import sys

import shtab

from kinfer_ros.cli.common import command
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.cli.parsers import subcommands
from kinfer_ros.launching.arguments import ARGUMENTS
from kinfer_ros.share import share_dir

VALUES = """\
_kinfer_ros_values() {
  case $1 in
@CASES@
  esac
}
"""
"""Prints the values of an argument of `walk`."""

WALK = {
    'bash': """\
_kinfer_ros_walk() {
  if [[ $1 == *:=* ]]; then
    compgen -P "${1%%:=*}:=" -W "$(_kinfer_ros_values "${1%%:=*}")" -- "${1#*:=}"
  else
    compgen -W '@NAMES@' -- "$1"
  fi
}
""",
    'zsh': """\
_kinfer_ros_walk() {
  local -a values=($(_kinfer_ros_values "${PREFIX%%:=*}"))
  if ! compset -P '*:='; then
    compadd -S '' -- @NAMES@
  elif (( $#values )); then
    compadd -a values
  else
    _files
  fi
}
""",
}
"""Completes a word of `walk`."""

PYTHON = {
    'bash': r"""
_kinfer_ros() {
  local first=2
  if [[ ${COMP_WORDS[0]} == kinfer_ros ]]; then
    first=0
  elif [[ ${COMP_WORDS[1]} != -m || ${COMP_WORDS[2]} != kinfer_ros || $COMP_CWORD -lt 3 ]]; then
    [[ -z $_kinfer_ros_else ]] || "$_kinfer_ros_else" "$@"
    return
  fi
  local -a words=("${COMP_WORDS[@]:first:COMP_CWORD-first+1}")
  local last=$((COMP_CWORD - first)) name=''
  if [[ ${words[last]} == ':=' ]]; then
    name=${words[last-1]}:=
    words[--last]=$name
  elif (( last > 1 )) && [[ ${words[last-1]} == ':=' ]]; then
    name=${words[last-2]}:=
    words[last-2]=$name${words[last]}
    (( last -= 2 ))
  fi
  local -a COMP_WORDS=("${words[@]:0:last+1}")
  local COMP_CWORD=$last
  _shtab_kinfer_ros
  COMPREPLY=("${COMPREPLY[@]#"$name"}")
  [[ ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
}

if [[ $(complete -p python 2>/dev/null) =~ -F\ ([^ ]+) ]]; then
  [[ ${BASH_REMATCH[1]} == _kinfer_ros ]] || _kinfer_ros_else=${BASH_REMATCH[1]}
fi
complete -o default -F _kinfer_ros python python3 kinfer_ros
""",
    'zsh': r"""
_kinfer_ros() {
  if [[ $words[2] != -m || $words[3] != kinfer_ros ]] || (( CURRENT < 4 )); then
    (( ! $+functions[_python] )) || _python "$@"
    return
  fi
  shift 2 words
  (( CURRENT -= 2 ))
  _shtab_kinfer_ros
}
compdef _kinfer_ros python python3
""",
}
"""Completes behind `python -m kinfer_ros`; everything else as it was completed before."""


COMPINIT = '(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }\n'


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'completion',
        'Print a script for the shell: once it is sourced (in .bashrc or .zshrc, say) the Tab key '
        'completes commands, options and names of robots behind `python -m kinfer_ros`.',
        'completion bash > ~/.kinfer_ros.bash',
        'completion zsh > ~/.kinfer_ros.zsh',
        codes='0: it is printed',
    )
    parser.add_argument('shell', choices=tuple(WALK), help='which shell')
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0, or 2 for a user's mistake."""
    print(script(arguments.shell), end='')
    return 0


def script(shell: str) -> str:
    """Return the script for a shell."""
    written = shtab.complete(program_parser(), shell) + '\n'
    if shell == 'zsh':
        written = re.sub(r'"\(\*\)::?', '"*:', written)  # shtab 1.13.0 completes one of several
        # Under `eval`, shtab's script defines its functions; under `source` it would call them.
        written = f'{COMPINIT}eval {shlex.quote(written)}\n'
    return written + PYTHON[shell]


def program_parser() -> argparse.ArgumentParser:
    """Return one parser of all commands, with what shtab has to know of their arguments."""
    # Here, because `python -m kinfer_ros` imports this module while it is imported itself.
    from kinfer_ros.__main__ import COMMANDS
    from kinfer_ros.__main__ import module_of

    parsers = {'help': argparse.ArgumentParser(), 'walk': _walk_parser()}
    parsers['help'].add_argument('command', choices=sorted(COMMANDS))
    for name in COMMANDS.keys() - parsers.keys():
        try:
            parsers[name] = importlib.import_module(module_of(name)).make_parser()
        except ModuleNotFoundError as error:
            print(f'completion: without the options of {name} ({error})', file=sys.stderr)
            parsers[name] = argparse.ArgumentParser()
    program = argparse.ArgumentParser('kinfer_ros')
    program.add_argument('-V', '--version', action='version')
    commands = program.add_subparsers()
    for name, parser in sorted(parsers.items()):
        _add_values(parser)
        commands.add_parser(name, help=COMMANDS[name].help if name in COMMANDS else 'show help')
        commands._name_parser_map[name] = parser  # add_parser only makes new ones
    return program


def _walk_parser() -> argparse.ArgumentParser:
    """`walk` reads `name:=value` without argparse; this parser is for shtab alone."""
    parser = argparse.ArgumentParser()
    parser.add_argument('-s', '--show-args', action='store_true', help='show the arguments')
    words = parser.add_argument('argument', nargs=argparse.REMAINDER, help='name:=value')
    names = ' '.join(f'{argument.name}:=' for argument in ARGUMENTS)
    values = {argument.name: argument.choices for argument in ARGUMENTS if argument.choices}
    values['robot'] = robots()
    cases = [f"    {name}) echo '{' '.join(each)}' ;;" for name, each in values.items()]
    table = VALUES.replace('@CASES@', '\n'.join(cases))
    preamble = {shell: table + text.replace('@NAMES@', names) for shell, text in WALK.items()}
    words.complete = {  # type: ignore[attr-defined]
        **dict.fromkeys(WALK, '_kinfer_ros_walk'),
        'preamble': preamble,
    }
    return parser


def _add_values(parser: argparse.ArgumentParser) -> None:
    """Say which values are names of robots; all others without choices may be files."""
    for action in parser._actions:  # argparse has no public list of them
        if '--robot' in action.option_strings:
            action.choices = robots()
        elif action.choices is None and action.nargs != 0 and not hasattr(action, 'complete'):
            action.complete = {'zsh': '_files'}  # type: ignore[attr-defined]
    for each in subcommands(parser).values():
        _add_values(each)


def robots() -> tuple[str, ...]:
    """Names of the robots in config/robots."""
    return tuple(sorted(path.stem for path in (share_dir() / 'config/robots').glob('*.yaml')))
