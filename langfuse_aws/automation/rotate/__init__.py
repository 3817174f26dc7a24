"""`rotate`: another password, token or secret for a stack that runs, without an interruption."""
