"""`preflight`: checks before the first `up` that a stack can come up in an account and region."""
