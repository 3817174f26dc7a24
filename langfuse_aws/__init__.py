"""Langfuse on AWS: everything that the Pulumi program at the top of the repository is made of.

Imports point one way: `contract`, `settings`, `components`, `automation`. `graph`, `cost`, `review`
and `policy` read recorded resources; `offline` is an AWS in memory, and knows nothing of Langfuse.
`components` is the folder beside this one.
"""

from pathlib import Path as _Path

_COMPONENTS = _Path(__file__).with_name("components")
if not _COMPONENTS.is_dir():
    raise ImportError(
        f"{_COMPONENTS}: is not the link to components/ that the repository has. "
        "Clone it on Linux, on macOS or in WSL, below the home folder there."
    )

__version__ = "0.1.0"
