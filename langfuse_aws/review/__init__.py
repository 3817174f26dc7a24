"""What a change does to a stack, worked out from its resources before and after."""
