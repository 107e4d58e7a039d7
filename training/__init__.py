"""Trains, packs and measures the walking policy that ships in robots/biped."""
