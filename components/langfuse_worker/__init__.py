"""Langfuse's worker: a service on Fargate that scales on how long jobs wait, and on CPU."""

from langfuse_aws.components.langfuse_worker.langfuse_worker import LangfuseWorker as LangfuseWorker
