"""Where this program is, and where it keeps the state of stacks that are in memory only."""

from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[3]
STATE_FOLDER: Final = REPOSITORY / ".state"
