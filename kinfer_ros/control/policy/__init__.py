"""The policy in the tick: its inputs, its step, and the exchange with another."""
