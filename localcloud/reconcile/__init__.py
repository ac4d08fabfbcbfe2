"""Makes true with machines, volumes and snapshots what the API promised."""
