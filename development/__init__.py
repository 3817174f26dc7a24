"""Commands for working on this project: nothing here runs in, or is imported by, `pulumi up`."""
