"""The states of a bridge, as published on `bridge_state`: the state, then the reason."""

ENABLED = 'enabled'
DISABLED = 'disabled'
DAMPING = 'damping'


def format_state(state: str, reason: str = '') -> str:
    """Return the text that is published."""
    return f'{state} {reason}'.strip()
