"""Git work of the array: saved to the volume before a machine ends, and restored on the next.

``save`` is the whole at an end, ``restore`` the command. What was saved, what was not and why is
one value, ``report.Report``; everything that shows it shows that.
"""
