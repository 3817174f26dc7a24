"""Secrets."""

from typing import Any, Final

from langfuse_aws.graph.model import SECRET, UNKNOWN, Resource
from langfuse_aws.policy.secret_values import FUNCTION
from tests.unit.policy_cases import Case, app_runner, broken, kept, made, service, task

SECRETS: Final = {
    "ENCRIPTION_KEY": "correct horse",
    "SALT": "pepper",
    "REDIS_AUTH": "hunter2",
    "GF_SECURITY_ADMIN_PASSWORD": "admin",
    "DATABASE_URL": "postgresql://langfuse:hunter2@db:5432/langfuse",
    "NOTE": "use sk-lf-1234 here",
    "AWS_ACCESS": "AKIAIOSFODNN7EXAMPLE",
    "PEM": "-----BEGIN RSA PRIVATE KEY-----",
    "HARMLESS": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "DENSE": "jk68M7CV6EzLvMTgsxPHHzAIVJjkOnd1",
    "HIDDEN": SECRET,
}
"""By the fault of tubone24/langfuse-v3-terraform, a name that nobody reads is one of them."""

HARMLESS: Final = {
    "AUTH_DISABLE_USERNAME_PASSWORD": "true",
    "AUTH_GOOGLE_ID_TOKEN": "false",
    "ROTATE_TOKEN": "true",
    "LANGFUSE_S3_EVENT_UPLOAD_SSE_KMS_KEY": "arn:aws:kms:us-east-1:1:key/2",
    "LANGFUSE_INIT_PROJECT_PUBLIC_KEY": "pk-lf-72804a7f-8488-415b-939a-194b92b56dac",
    "SMTP_CONNECTION_URL": "ses://us-east-1",
    "CLICKHOUSE_URL": "http://clickhouse.langfuse-dev.internal:8123",
    "BUCKET": "langfuse-dev-storage-2ab6487",
    "DATABASE_HOST": "langfuse-dev-postgres-c4e27a2.b56d09f63e90.us-east-1.rds.amazonaws.com:5432",
    "NEXTAUTH_SECRET": "",
    "ZEROS": "0" * 32,
    "TYPE": "AbcAbcAbcAbcAbcAbcAbcAbc1",
    "LATER": UNKNOWN,
}


def container(name: str, value: Any) -> Resource:
    return task({"environment": [{"name": name, "value": value}]})


def function(variables: Any) -> Resource:
    return made(FUNCTION, {"environment": {"variables": variables}})


def langfuse(name: str, **secrets: str) -> tuple[Resource, Resource]:
    given = [{"name": key, "valueFrom": value} for key, value in secrets.items()]
    definition = task({"image": "ghcr.io/langfuse/langfuse:3.1.2", "secrets": given}, name=name)
    return service(definition, name=name), definition


def on_app_runner(**configuration: Any) -> Resource:
    return app_runner(name="web", imageConfiguration=configuration)


def of_web(key: str) -> Resource:
    """Web on App Runner, with a reference to this encryption key."""
    references = {"ENCRYPTION_KEY": f"arn:keys:{key}::", "SALT": "arn:keys:b::"}
    return on_app_runner(runtimeEnvironmentSecrets=references)


WEB: Final = langfuse("web", ENCRYPTION_KEY="arn:keys:a::", SALT="arn:keys:b::")
SAME: Final = langfuse("worker", ENCRYPTION_KEY="arn:keys:a::", SALT="arn:keys:b::")
OTHER: Final = langfuse("worker", ENCRYPTION_KEY="arn:keys:c::", SALT="arn:keys:b::")
WITHOUT: Final = langfuse("worker", ENCRIPTION_KEY="arn:keys:a::", SALT="arn:keys:b::")
GRAFANA_TASK: Final = task({"image": "docker.io/grafana/grafana:12.1.0"}, name="z")

CASES: Final[tuple[Case, ...]] = (
    *(
        broken(
            "no-secret-in-environment",
            f"{name} in the environment of container web looks like a secret",
            container(name, value),
        )
        for name, value in SECRETS.items()
    ),
    *(kept("no-secret-in-environment", container(*each)) for each in HARMLESS.items()),
    broken(
        "no-secret-in-environment",
        "its container definitions hold a secret value",
        made("aws:ecs/taskDefinition:TaskDefinition", {"containerDefinitions": SECRET}),
    ),
    kept(
        "no-secret-in-environment",
        made("aws:ecs/taskDefinition:TaskDefinition", {"containerDefinitions": UNKNOWN}),
    ),
    kept(
        "no-secret-in-environment",
        task({"secrets": [{"name": "SALT", "valueFrom": "arn:aws:secretsmanager:x"}]}),
    ),
    broken(
        "no-secret-in-environment",
        "API_TOKEN in its environment looks like a secret",
        function({"API_TOKEN": "hunter2", "LOG_LEVEL": "info"}),
    ),
    broken("no-secret-in-environment", "its environment holds a secret value", function(SECRET)),
    broken(
        "no-secret-in-environment",
        "its environment holds a secret value",
        made(FUNCTION, {"environment": SECRET}),
    ),
    kept("no-secret-in-environment", function({"LOG_LEVEL": "info"})),
    kept("no-secret-in-environment", made(FUNCTION)),
    broken(
        "no-secret-in-environment",
        "SALT in the environment of container web looks like a secret",
        on_app_runner(runtimeEnvironmentVariables={"SALT": "pepper", "PORT": UNKNOWN}),
    ),
    *(
        broken(
            "no-secret-in-environment",
            "sourceConfiguration in the environment of container web looks like a secret",
            hidden,
        )
        for hidden in (
            made("aws:apprunner/service:Service", {"sourceConfiguration": SECRET}),
            on_app_runner(runtimeEnvironmentVariables=SECRET),
        )
    ),
    kept("no-secret-in-environment", on_app_runner(runtimeEnvironmentVariables={"SALT": UNKNOWN})),
    kept("no-secret-in-environment", on_app_runner(runtimeEnvironmentVariables=UNKNOWN)),
    kept("services-share-keys", *SAME, *WEB),
    kept("services-share-keys", *WEB),
    kept("services-share-keys", *SAME, of_web("a")),
    kept("services-share-keys", of_web("a")),
    kept("services-share-keys", *SAME, of_web(UNKNOWN)),
    broken("services-share-keys", "its ENCRYPTION_KEY is not that of web", *OTHER, of_web("a")),
    broken(
        "services-share-keys",
        ["it has no ENCRYPTION_KEY", "it has no SALT"],
        on_app_runner(runtimeEnvironmentSecrets={}),
    ),
    kept("services-share-keys", *WEB, *OTHER),
    kept("services-share-keys", service(GRAFANA_TASK, name="z"), GRAFANA_TASK, *WEB),
    broken("services-share-keys", "its ENCRYPTION_KEY is not that of web", *OTHER, *WEB),
    broken(
        "services-share-keys",
        ["its ENCRYPTION_KEY is not that of web", "it has no ENCRYPTION_KEY"],
        *WITHOUT,
        *WEB,
    ),
    broken("services-share-keys", "it has no SALT", *langfuse("web", ENCRYPTION_KEY="arn:a")),
)
