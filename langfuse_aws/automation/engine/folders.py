"""The folders that are taken where none is named."""

from pathlib import Path
from typing import Final

from langfuse_aws.settings.installation import CLONE, PROJECT

REPOSITORY: Final = PROJECT
PROGRAM: Final = CLONE or Path(__file__).resolve().parents[1] / "new" / "project"
"""The project that a library's caller deploys: the clone, or the one that `new` copies."""
STATE_FOLDER: Final = REPOSITORY / ".state"
"""The state of stacks that are in memory only."""
