"""The eval command."""
