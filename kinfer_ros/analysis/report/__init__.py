"""The HTML report of runs: what happened, what to do, and every number on one time axis."""
