"""PD gains: what a policy asks for, the ramp to other factors, the handshake with the bridge."""
