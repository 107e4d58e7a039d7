"""What is left of a run: its directory, step log and bag."""
