"""A journey for each client: it uses the client as its users do, run by the client's interpreter.

A program here imports its client and the standard library alone. CLIENT_IMAGE names the image and
CLIENT_SCRATCH its directory. It prints a line for each step.
"""
