"""Stops a machine on which nobody works: looks, counts, and ends it."""
