"""What a VPC has beside its machines."""
