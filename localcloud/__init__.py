"""The rehearsal cloud: EC2's API on loopback with real QEMU machines behind it."""
