"""What the Describe calls filter by and show."""
