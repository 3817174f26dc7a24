"""`langfuse:hours` by hand: put a stack to sleep, wake it, and say that it sleeps."""
