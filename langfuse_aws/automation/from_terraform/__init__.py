"""`import`: a Langfuse of Terraform's moves in, with its stores."""
