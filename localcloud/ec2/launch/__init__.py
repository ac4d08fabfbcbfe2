"""From a launch specification to a plan: devices, addresses, credentials."""
