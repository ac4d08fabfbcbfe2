"""Git work of the array: saved to the volume before a machine ends, and restored on the next.

``save`` is the whole at an end, ``restore`` the command. The list of work that was saved
and of work that was not, with the reasons, is one value, ``report.Report``; everything that shows
it shows that.
"""
