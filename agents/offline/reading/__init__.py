"""Reads a question, and a follow-up, into a plan."""
