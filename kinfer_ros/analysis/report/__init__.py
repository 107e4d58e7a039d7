"""The HTML report of runs: what happened, what to do, and every number on one time axis."""

from pathlib import Path

PAGE = Path(__file__).parent.parent / 'page'
"""Styles and the script of the pages."""
