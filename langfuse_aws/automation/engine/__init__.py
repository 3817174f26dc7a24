"""Pulumi's engine: a stack's workspace, operations with their events and results, the state."""
