"""PostgreSQL, Valkey, the S3 bucket, and the keys and passwords of Langfuse's own."""

from langfuse_aws.components.data_plane.data_plane import DataPlane as DataPlane
