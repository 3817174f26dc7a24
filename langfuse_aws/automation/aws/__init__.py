"""AWS as a stack's operator has it: clients, one-off tasks, and what a check answers."""
