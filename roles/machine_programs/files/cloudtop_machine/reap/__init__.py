"""The end of this machine: the notice, the steps before it, and the way back."""
