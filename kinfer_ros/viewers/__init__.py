"""Views of a robot: URDF, markers, films, Rerun."""
