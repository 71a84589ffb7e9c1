"""Writes a plan as SQL."""
