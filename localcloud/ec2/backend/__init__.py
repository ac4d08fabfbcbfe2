"""EC2's verbs, a noun a file; ``whole`` is their contents page."""
