"""What the API says: EC2's actions, one file a noun, over the backend's verbs."""
