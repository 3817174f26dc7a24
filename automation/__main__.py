"""The command line of a clone: `python3 -m automation`.

Any Python starts it, with nothing activated: one that lacks the packages hands over to the one of
`.venv`, which `make` has made. Python 3.9, which macOS has, must be able to read this file.
"""

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

PACKAGES = (
    "boto3",
    "dns",
    "email_validator",
    "httpx",
    "pip",
    "pulumi",
    "pulumi_aws",
    "pulumi_awsx",
    "pulumi_random",
    "pydantic",
    "rich",
    "tenacity",
    "typer",
    "tzdata",
)
"""What requirements.txt asks for, by the names of imports."""
VENV = Path(__file__).resolve().parent.parent / ".venv"


def main() -> None:
    """Run it here, or in the Python that has the packages."""
    if sys.platform == "win32":
        from langfuse_aws.settings.installation import NOT_ON_WINDOWS

        sys.exit(f"error: {NOT_ON_WINDOWS}")
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        hand_over(missing)
    try:
        import_module("langfuse_aws")
    except ImportError as error:  # says what the clone lacks
        sys.exit(f"error: {error}")
    from langfuse_aws.automation.__main__ import main as run

    run()


def hand_over(missing: list[str]) -> None:
    """Become the Python of `.venv`; end with a message if that is this one, or there is none."""
    python = VENV / "bin" / "python"
    if python.is_file() and Path(sys.prefix).resolve() != VENV.resolve():
        os.execv(str(python), [str(python), "-m", "automation", *sys.argv[1:]])  # noqa: S606
    sys.exit(
        f"error: {sys.executable} lacks {', '.join(missing)}: run make demo, which makes .venv "
        "with them, or pip install -r requirements.txt."
    )


if __name__ == "__main__":
    main()
