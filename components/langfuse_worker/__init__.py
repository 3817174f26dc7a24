"""Langfuse's worker: a service on Fargate that scales on CPU or on its backlog."""

from langfuse_aws.components.langfuse_worker.langfuse_worker import LangfuseWorker as LangfuseWorker
