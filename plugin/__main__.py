"""What Pulumi starts: `python plugin ENGINE_ADDRESS`, with the repository around the folder."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from pulumi.provider import main  # noqa: E402

from plugin.provider import LangfuseProvider  # noqa: E402

if __name__ == "__main__":
    main(LangfuseProvider(), sys.argv[1:])
