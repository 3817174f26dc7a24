"""Ingress: a load balancer with its web ACL or an HTTP API, and the domain's certificate."""
