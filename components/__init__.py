"""The component resources. `langfuse.py` puts a stack together, and is read first.

Its name in Python is `langfuse_aws.components`, which is a link to this folder.
"""
