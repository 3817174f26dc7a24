"""Moves a Langfuse that runs elsewhere, with its data, into a stack."""
