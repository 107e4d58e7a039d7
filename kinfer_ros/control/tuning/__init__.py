"""Live settings: sets of parameters checked, and taken over in a tick."""
