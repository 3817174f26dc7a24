"""`upgrade`: a stack taken to another release of Langfuse, with everything that belongs to it."""
