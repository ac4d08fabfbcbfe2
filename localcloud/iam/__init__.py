"""The policy language, pure and of no cloud: IAM User Guide, "Policy evaluation logic"."""
