"""What a policy permits: pure, of no cloud; IAM User Guide, "Policy evaluation logic"."""
