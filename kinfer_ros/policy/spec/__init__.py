"""Policy specs: their file, the observation and action they describe, and its run."""
