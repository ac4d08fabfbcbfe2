"""Other people's clients and tests, unchanged, against a rehearsal cloud without machines."""
