"""A stack's resources as plain data, read from what Pulumi's engine reports."""
