"""`images`: digests that are locked, and copies in ECR."""
