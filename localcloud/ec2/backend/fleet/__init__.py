"""Launch templates and fleets: launches by what was written down before."""
