"""The MuJoCo bridge node."""
