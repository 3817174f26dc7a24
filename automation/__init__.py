"""Commands for whoever operates a stack: `python -m automation --help`. `pulumi up` needs none."""
