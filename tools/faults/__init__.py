"""Every call that changes something fails once: what a command leaves then is compared."""
