"""The machine's parts alone: Ansible modules and boot programs, with no machine."""
