"""The robot file: joints, limits, gains, IMU, and drafts of one from other formats."""
