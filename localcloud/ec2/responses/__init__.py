"""The API's answers: EC2's actions, one file a noun, over the backend's verbs."""
