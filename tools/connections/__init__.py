"""Connections that cannot write: the second lock, one file per kind of database."""
