"""Copies of snapshots and images, also from another region."""
