"""Our own list of calls that EC2 refuses, each with EC2's code, and how many of them agree.

The codes are from the API Reference ("Error codes" and the text of each call) and from botocore's
service model; no account was asked.
"""
