"""The journal of reaps on the persistent volume: who had it, until when, and why."""
