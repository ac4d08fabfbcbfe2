"""``python -m localcloud``: one file a group of subcommands."""
