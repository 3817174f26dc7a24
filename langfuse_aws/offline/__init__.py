"""Pulumi's aws, awsx and random providers without AWS: a model of what they answer."""
