"""Langfuse's web container: a service on Fargate, or App Runner."""

from langfuse_aws.components.langfuse_web.langfuse_web import LangfuseWeb as LangfuseWeb
