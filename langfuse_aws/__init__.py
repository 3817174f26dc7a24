"""Langfuse on AWS: everything that the Pulumi program at the top of the repository is made of.

Imports point one way: `contract`, `settings`, `components`, `automation`. `graph`, `cost`, `review`
and `policy` read recorded resources; `offline` is an AWS in memory, and knows nothing of Langfuse.
`components` is the folder beside this one.
"""

__version__ = "0.1.0"
