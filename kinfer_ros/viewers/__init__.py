"""What shows a robot: URDF, markers, films, Rerun."""
