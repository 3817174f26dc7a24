"""ECS: cluster, service discovery, images, and services with tasks, roles and scaling."""
