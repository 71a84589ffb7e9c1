"""Judges the whole pipeline on questions whose right SQL is known."""
