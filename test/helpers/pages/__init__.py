"""Pages in a browser: what the tests need of one, and what they measure there."""
