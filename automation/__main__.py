"""The command line: `python -m automation`."""

from langfuse_aws.automation.__main__ import app

if __name__ == "__main__":
    app(prog_name="python -m automation")
