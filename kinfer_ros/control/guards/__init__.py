"""What may go wrong in a tick, each guard a small object with one verdict. docs/modes.md."""
