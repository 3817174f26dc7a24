"""`restore` and `replay`: a store put back, and events loaded again."""
