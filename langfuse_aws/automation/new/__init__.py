"""`new`: a project of a user's own, which deploys Langfuse by this package."""
