"""Reads `observation` of a policy spec: what each input of a network is made of.

One input is a mapping; several are a list of them, each with its own terms, history and clip.
Entries of the list with the same input stand one behind the other in it. Format: docs/specs.md.
"""

from dataclasses import dataclass

from kinfer_ros.policy.spec.terms import MAX_LENGTH
from kinfer_ros.policy.spec.terms import Term
from kinfer_ros.policy.spec.terms import TermNames
from kinfer_ros.policy.spec.terms import read_term
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_vectors import read_bounds

MAX_BLOCKS = 64
"""Entries of one observation."""


@dataclass(frozen=True)
class History:
    """How frames are stacked into the flat vector."""

    length: int = 1
    per_frame: bool = False
    """True: whole frames in sequence; False: each term's frames together."""
    newest_first: bool = False
    zero_fill: bool = False
    """True: missing frames are zero; False: the first frame is repeated."""


@dataclass(frozen=True)
class Block:
    """One entry of an observation: a flat vector, an input of a network or a part of one."""

    input: str | None
    """Name of the network's input; optional where it has only one."""
    history: History
    clip: tuple[float, float] | None
    """Of the whole vector."""
    terms: tuple[Term, ...]

    def frames(self, term: Term) -> int:
        """Number of frames of a term in the vector."""
        return self.history.length if term.history is None else term.history

    @property
    def size(self) -> int:
        """Length of the flat vector."""
        return sum(term.size * self.frames(term) for term in self.terms)

    @property
    def frame_size(self) -> int:
        """Numbers in one frame."""
        return sum(term.size for term in self.terms)

    @property
    def depth(self) -> int:
        """Frames of the term that has most, the newest one included."""
        return max((self.frames(term) for term in self.terms), default=1)


def read_observation(section: Section, known: TermNames) -> tuple[Block, ...]:
    """Read the key `observation` of a section."""
    found = one_or_each(section, 'observation')
    if len(found) > MAX_BLOCKS:
        section.problem(
            f'found {len(found)} entries, expected at most {MAX_BLOCKS}', 'observation'
        )
        found = found[:MAX_BLOCKS]
    blocks = tuple(_read_block(each, known) for each in found)
    if len({block.input is None for block in blocks}) > 1:
        section.problem(
            'found entries with an input and entries without, expected the name of the input in '
            'each, or in none (of a network with one input, whose parts they are)',
            'observation',
        )
    return blocks


def one_or_each(section: Section, key: str) -> list[Section]:
    """Return the mapping under `key`, or those of the list under it."""
    if isinstance(section.plain(key), list):
        return section.each(key)
    found = section.section(key)
    return [] if found is None else [found]


def optional_text(section: Section, key: str) -> str | None:
    """Return a text, or None where it is not given."""
    return section.string(key) if section.has(key) else None


def read_range(section: Section, key: str, unit: str) -> tuple[float, float] | None:
    """Read one [lowest, highest]; None where it is not given, or null."""
    bounds = read_bounds(section, key, (key,), unit)
    return None if bounds is None else (bounds[0][0], bounds[1][0])


def _read_block(section: Section, known: TermNames) -> Block:
    return Block(
        input=optional_text(section, 'input'),
        history=_read_history(section),
        clip=read_range(section, 'clip', '1'),
        terms=_read_terms(section, known),
    )


def _read_history(observation: Section) -> History:
    section = observation.section('history') if observation.has('history') else None
    if section is None:
        return History()
    return History(
        length=section.integer('length', 1, MAX_LENGTH),
        per_frame=section.choice('layout', ('per_term', 'per_frame')) == 'per_frame',
        newest_first=section.choice('order', ('oldest_first', 'newest_first')) == 'newest_first',
        zero_fill=section.choice('first', ('repeat', 'zero')) == 'zero',
    )


def _read_terms(observation: Section, known: TermNames) -> tuple[Term, ...]:
    per_frame = observation.plain('history') or {}
    per_frame = isinstance(per_frame, dict) and per_frame.get('layout') == 'per_frame'
    terms = []
    for section in observation.each('terms'):
        term = read_term(section, known)
        if term is None:
            continue
        if per_frame and term.history is not None:
            section.problem(
                'found a length for one term, expected none: with the layout per_frame all terms '
                'have the same number of frames; terms with other frames go into an entry of '
                'their own: observation: [{terms: ...}, {history: ..., terms: ...}]',
                'history',
            )
        if not observation.has('history') and (term.history or 1) > 1:
            section.problem(
                'found frames to stack, expected observation.history (length, layout, order, '
                'first) as well',
                'history',
            )
        terms.append(term)
    return tuple(terms)
