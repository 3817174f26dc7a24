"""`python3 -m automation` and `automation.stack`, as a clone of the repository has them.

The code is in `langfuse_aws.automation`.
"""
