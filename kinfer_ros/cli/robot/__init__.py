"""Commands on robots."""
