"""What each client does for a while, as its users have it do; run by the client's own interpreter.

A program here imports its client and the standard library alone, is told the image by CLIENT_IMAGE
and its directory by CLIENT_SCRATCH, and prints a line for each thing that was done and seen.
"""
