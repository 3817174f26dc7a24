"""The command line: `python -m automation`."""

from langfuse_aws.automation.__main__ import main

if __name__ == "__main__":
    main()
