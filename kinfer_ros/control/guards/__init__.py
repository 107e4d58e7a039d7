"""The guards: each checks one thing in every tick and returns a Verdict. See docs/modes.md."""
