"""The component resources. `langfuse.py` puts a stack together, and is read first."""
