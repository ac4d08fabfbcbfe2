"""The programs that run on a machine. Standard library alone, Python 3.10 and later.

Programs in /usr/local/bin and /usr/local/sbin are a few lines that import from here.
"""
