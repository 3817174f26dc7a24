"""Operates stacks: `stack.py` is the library, `__main__.py` the command line."""
