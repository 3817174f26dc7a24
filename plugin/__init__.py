"""Langfuse as one component of programs in other languages, served as a Pulumi plugin."""
