"""Who signed a call, and whether the policies of a machine's role permit it."""
