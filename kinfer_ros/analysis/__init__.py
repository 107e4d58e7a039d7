"""Reads runs back: replay, report, plot, export, repair."""
