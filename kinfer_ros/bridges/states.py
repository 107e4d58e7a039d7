"""The states of a bridge, as published on `bridge_state`: the state, then the reason."""

ENABLED = 'enabled'
DISABLED = 'disabled'
DAMPING = 'damping'
