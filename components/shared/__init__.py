"""What components of every kind are made with: names, IAM documents, secrets, buckets, metrics."""
