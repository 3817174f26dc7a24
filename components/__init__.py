"""The component resources, one a file. `__main__` wires them."""
