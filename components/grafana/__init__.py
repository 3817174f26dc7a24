"""Grafana on Fargate, with the data sources and dashboards that it starts with."""
