"""What Langfuse itself asks of its surroundings: environment, ports, health. No Pulumi in it."""
