"""Colours and dashes: legible on light and dark pages, so that a chart needs no theme."""

import colorsys

COLOURS = (
    '#2f7ed8', '#e4572e', '#2a9d4a', '#9b51c8', '#c08a00', '#00a0a8', '#d6458b', '#8a7460',
)  # fmt: skip
"""Of the curves of one plot."""
TEXT_COLOUR = '#7c7c7c'
"""Contrast 4.2 on white and on the dark page."""
FAULT_COLOUR = '#d03b3b'
WARNING_COLOUR = '#c08a00'
EVENT_COLOUR = '#7c7c7c'
MODES = {
    'run': '#2a9d4a', 'ramp': '#c9a227', 'hold': '#6f9fcb', 'fade': '#b08bd0', 'damp': '#e0903c',
    'fault': '#d03b3b', 'inactive': '#8c8c8c',
}  # fmt: skip
POLICY_SHADES = ('#2a9d4a', '#157f7a', '#7fb347', '#3f6f3a', '#5fbfa0', '#a0a82a')

DASHES: tuple[tuple[int, ...], ...] = (
    (), (7, 3), (2, 2), (11, 3), (11, 3, 2, 3), (2, 5), (16, 5), (6, 2, 2, 2, 2, 2),
)  # fmt: skip
"""px, of the runs of one page."""
DASH_NAMES = (
    'solid', 'dashed', 'dotted', 'long dashes', 'dash and dot', 'sparse dots', 'longer dashes',
    'dash, dot, dot',
)  # fmt: skip
DARKEST, LIGHTEST = 0.36, 0.66
"""Lightness of the first and the last of several runs."""


def shade(colour: str, run: int, runs: int) -> str:
    """Return the colour of a curve for one of several runs: the later, the lighter."""
    if runs == 1:
        return colour
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    hue, _, saturation = colorsys.rgb_to_hls(red, green, blue)
    lightness = DARKEST + (LIGHTEST - DARKEST) * run / (runs - 1)
    parts = colorsys.hls_to_rgb(hue, lightness, saturation)
    return '#' + ''.join(f'{round(255 * part):02x}' for part in parts)


def mode_colour(mode: str) -> str:
    """Return the colour of a mode; of each policy of a set a shade of green."""
    word, _, policy = mode.partition(': policy ')
    if policy:
        return POLICY_SHADES[sum(policy.encode()) % len(POLICY_SHADES)]
    return MODES.get(word.split(':')[0], MODES['inactive'])
