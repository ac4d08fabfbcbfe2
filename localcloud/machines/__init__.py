"""Real machines for the rehearsal cloud: QEMU processes, their disks and their metadata."""
