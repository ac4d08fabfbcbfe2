"""The rehearsal cloud as one process: its life, its state on disk, its claims."""
