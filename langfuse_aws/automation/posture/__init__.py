"""`posture`: the rules that a stack fails, and why that is accepted."""
