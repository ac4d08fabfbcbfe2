"""Random worlds: a seed is printed, and the same seed makes the same world again."""
