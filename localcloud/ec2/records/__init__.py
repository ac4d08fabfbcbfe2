"""The records that EC2 keeps: an instance, an image, a volume, a request, a reap."""
