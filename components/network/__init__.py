"""VPC, NAT, and security groups with their rules."""
