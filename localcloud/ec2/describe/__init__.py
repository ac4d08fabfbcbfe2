"""The Describe calls: their filters and the attributes that they show."""
