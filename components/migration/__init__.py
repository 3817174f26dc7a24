"""Database migrations before web and worker are updated: one task, and the Lambda that waits."""
