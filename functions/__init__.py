"""Code that runs inside AWS Lambda, on Python 3.13 with the boto3 of its runtime."""
