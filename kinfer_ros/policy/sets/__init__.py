"""Policy sets: their file, and its policies loaded."""
