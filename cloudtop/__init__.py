"""All that runner.py needs beside Ansible: settings, progress, costs and ssh."""
