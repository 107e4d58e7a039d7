"""Other projects' contracts, each read into a policy spec and a robot file."""
