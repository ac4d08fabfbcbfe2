"""The control plane's roles against the rehearsal cloud's API, with no machines."""
