"""What Pulumi starts: `python plugin ENGINE_ADDRESS`, with the repository around the folder."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from pulumi.provider import main

from plugin.provider import LangfuseProvider

if __name__ == "__main__":
    main(LangfuseProvider(), sys.argv[1:])
