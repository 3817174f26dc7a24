"""`snapshot`: snapshots of every store of a stack, with one label."""
