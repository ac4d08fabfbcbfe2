"""The HTTP side: which service a call is for, and the paths below /localcloud/."""
