"""From a policy file to step()."""
