"""Reads the values of Langfuse's Helm chart, and gives what its templates make of them.

https://github.com/langfuse/langfuse-k8s, charts/langfuse/templates/_helpers.tpl and values.yaml, of
1.0.0 to 1.5.41 and 2.0.0. Redis is left out: queues are not moved.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic.alias_generators import to_snake

from langfuse_aws.automation.errors import CommandLineError
from langfuse_aws.automation.move_in.containers import Reading, release_of
from langfuse_aws.automation.move_in.kubernetes import Exported, Tree, Variable, mappings

CHART: Final = "langfuse"
LONGEST_NAME: Final = 63
LONGEST_STORE_NAME: Final = 52
BUCKETS: Final = {
    # Of the chart: of the variables, and whether it has the prefix of all.
    "eventUpload": ("EVENT_UPLOAD", False),
    "batchExport": ("BATCH_EXPORT", True),
    "mediaUpload": ("MEDIA_UPLOAD", True),
}
STORAGES: Final = {
    "azure": "LANGFUSE_USE_AZURE_BLOB",
    "gcs": "LANGFUSE_USE_GOOGLE_CLOUD_STORAGE",
}
SCHEME: Final = re.compile(r"(https?)://(.*)")


def is_values(tree: Any) -> bool:
    """Whether it looks like values of the chart."""
    return isinstance(tree, dict) and isinstance(cast("Tree", tree).get(CHART), dict)


def read_values(tree: Tree, where: str, exported: Exported) -> Reading:
    """Give the variables of web and worker. CommandLineError if it is only a part of the values."""
    values = _Values(tree, exported.helm_release or CHART)
    if values.text("langfuse.nodeEnv") is None:
        raise CommandLineError(
            f"{where}: has not all values of Langfuse's chart, whose own ones are others in each "
            f"version. helm get values {values.release} --all -o yaml > values.yaml has them."
        )
    variables = [*values.variables()]
    sources: list[Tree] = []
    for part in ("langfuse", "langfuse.worker.pod", "langfuse.web.pod"):
        variables += values.entries(f"{part}.additionalEnv")
        sources += values.entries(f"{part}.additionalEnvFrom")
    tag = values.first("langfuse.web.image.tag", "langfuse.image.tag")
    release = release_of(f":{tag}") if tag else exported.release
    return exported.read(variables, sources, release, where)


@dataclass(frozen=True)
class _Values:
    """All values of a release."""

    tree: Tree
    release: str
    """What Helm calls it."""

    def at(self, path: str) -> Any:
        """Give what is there; None: nothing."""
        found: Any = self.tree
        for key in path.split("."):
            found = cast("Tree", found).get(key) if isinstance(found, Mapping) else None
        return found

    def text(self, path: str) -> str | None:
        """Give a text or a number; None: there is none, or an empty one, as a template has it."""
        found = self.at(path)
        return None if found in (None, "", False) or isinstance(found, Mapping) else str(found)

    def keys(self, path: str) -> list[str]:
        """Give the keys of a mapping."""
        found = self.at(path)
        return [*map(str, cast("Tree", found))] if isinstance(found, Mapping) else []

    def first(self, *paths: str) -> str | None:
        """Give the first that is not empty."""
        return next(filter(None, map(self.text, paths)), None)

    def entries(self, path: str) -> list[Tree]:
        """Give a list of mappings."""
        return mappings(self.at(path))

    @property
    def bundled_since_2(self) -> bool:
        """Whether the chart's own stores are those of 2.0.0."""
        return self.at("s3.allInOne") is not None

    @property
    def fullname(self) -> str:
        """The name that those of its objects begin with."""
        return self._fullname("", CHART)

    def _fullname(self, path: str, chart: str) -> str:
        if given := self.text(f"{path}fullnameOverride"):
            return _cut(given)
        name = self.text(f"{path}nameOverride") or chart
        return _cut(self.release if name in self.release else f"{self.release}-{name}")

    def _store(self, alias: str, old: str) -> str:
        return self._fullname(f"{alias}.", alias) if self.bundled_since_2 else old

    def variables(self) -> Iterator[Variable]:
        """Give the entries of `env` that the templates write."""
        yield from self._server()
        yield from self._sign_in()
        yield from self._database()
        yield from self._clickhouse()
        yield from self._storage()

    def _server(self) -> Iterator[Variable]:
        for variable, path, key in (
            ("SALT", "langfuse.salt", "salt"),
            ("ENCRYPTION_KEY", "langfuse.encryptionKey", "encryption-key"),
            ("NEXTAUTH_SECRET", "langfuse.nextauth.secret", "nextauth-secret"),
        ):
            if found := self._given(variable, path):
                yield found
            elif self.bundled_since_2:
                yield _secret(variable, f"{self.fullname}-app", key)
        if found := self._given("LANGFUSE_EE_LICENSE_KEY", "langfuse.licenseKey"):
            yield found
        yield from self._plain(
            NEXTAUTH_URL=self.text("langfuse.nextauth.url"),
            SMTP_CONNECTION_URL=self.text("langfuse.smtp.connectionUrl"),
            EMAIL_FROM_ADDRESS=self.text("langfuse.smtp.fromAddress"),
            LANGFUSE_ALLOWED_ORGANIZATION_CREATORS=",".join(
                map(str, self.at("langfuse.allowedOrganizationCreators") or ())
            ),
            # Those that are not as Langfuse has them by itself.
            TELEMETRY_ENABLED="false"
            if self.at("langfuse.features.telemetryEnabled") is False
            else None,
            AUTH_DISABLE_SIGNUP="true" if self.at("langfuse.features.signUpDisabled") else None,
        )

    def _sign_in(self) -> Iterator[Variable]:
        if self.at("langfuse.auth.disableUsernamePassword"):
            yield from self._plain(AUTH_DISABLE_USERNAME_PASSWORD="true")  # noqa: S106
        for provider in self.keys("langfuse.auth.providers"):
            for option in self.keys(f"langfuse.auth.providers.{provider}"):
                variable = f"AUTH_{to_snake(provider)}_{to_snake(option)}".upper()
                found = self._given(variable, f"langfuse.auth.providers.{provider}.{option}")
                if found:
                    yield found

    def _database(self) -> Iterator[Variable]:
        host = self.text("postgresql.host")
        if not host and self.at("postgresql.deploy"):
            host = self._store("postgresql", f"{self.fullname}-postgresql")
        yield from self._plain(
            DATABASE_HOST=host,
            DATABASE_PORT=self.text("postgresql.port"),
            DATABASE_USERNAME=self.text("postgresql.auth.username"),
            DATABASE_NAME=self.text("postgresql.auth.database"),
            DATABASE_ARGS=self.text("postgresql.args"),
            DIRECT_URL=self.text("postgresql.directUrl"),
        )
        if secret := self.text("postgresql.auth.existingSecret"):
            key = self.text("postgresql.auth.secretKeys.userPasswordKey") or "password"
            yield _secret("DATABASE_PASSWORD", secret, key)
        elif self.at("postgresql.deploy") and self.bundled_since_2:
            secret = self.text("postgresql.settings.existingSecret") or "langfuse-postgresql-auth"
            yield _secret("DATABASE_PASSWORD", secret, "USERDB_PASSWORD")
        else:
            yield from self._plain(DATABASE_PASSWORD=self.text("postgresql.auth.password"))

    def _clickhouse(self) -> Iterator[Variable]:
        given = self.entries("langfuse.additionalEnv")
        if any(
            each.get("name") == "CLICKHOUSE_MIGRATION_URL" and each.get("value") for each in given
        ):
            return  # the chart leaves all of it to those
        deployed = self.at("clickhouse.deploy")
        host = self.text("clickhouse.host")
        scheme = "http"
        if host and (found := SCHEME.fullmatch(host)):
            scheme, host = found[1], found[2]
        elif not host and deployed:
            host = f"{self.fullname}-clickhouse" + ("-headless" if self.bundled_since_2 else "")
        yield from self._plain(
            CLICKHOUSE_URL=f"{scheme}://{host}:{self.text('clickhouse.httpPort')}"
            if host
            else None,
            CLICKHOUSE_DB=self.text("clickhouse.database"),
            CLICKHOUSE_USER=self.text("clickhouse.auth.username"),
        )
        if secret := self.text("clickhouse.auth.existingSecret"):
            key = self.text("clickhouse.auth.existingSecretKey") or ""
            yield _secret("CLICKHOUSE_PASSWORD", secret, key)
        elif password := self.text("clickhouse.auth.password"):
            yield from self._plain(CLICKHOUSE_PASSWORD=password)
        elif deployed and self.bundled_since_2:
            yield _secret("CLICKHOUSE_PASSWORD", f"{self.fullname}-clickhouse-auth", "password")

    def _storage(self) -> Iterator[Variable]:
        if variable := STORAGES.get(self.text("s3.storageProvider") or ""):
            yield {"name": variable, "value": "true"}
        deployed = self.at("s3.deploy")
        for part, (name, shared_prefix) in BUCKETS.items():
            if part == "batchExport" and not self.at("s3.batchExport.enabled"):
                continue
            start = f"LANGFUSE_S3_{name}_"
            buckets = [f"s3.{part}.bucket", "s3.bucket", *(["s3.defaultBuckets"] * bool(deployed))]
            prefixes = [f"s3.{part}.prefix", *(["s3.prefix"] * shared_prefix)]
            endpoint = self.first(f"s3.{part}.endpoint", "s3.endpoint")
            if not endpoint and deployed:
                endpoint = self.text("s3.eventUpload.endpoint") or self._bundled_endpoint()
            own_style = self.at(f"s3.{part}.forcePathStyle") or self.at("s3.forcePathStyle")
            yield from self._plain(
                **{
                    f"{start}BUCKET": self.first(*buckets),
                    f"{start}PREFIX": self.first(*prefixes),
                    f"{start}REGION": self.first(f"s3.{part}.region", "s3.region"),
                    f"{start}ENDPOINT": endpoint,
                    f"{start}FORCE_PATH_STYLE": "true" if own_style else None,
                }
            )
            for variable, key, of_store, in_secret in (
                ("ACCESS_KEY_ID", "accessKeyId", "rootUser", "accessKey"),
                ("SECRET_ACCESS_KEY", "secretAccessKey", "rootPassword", "secretKey"),
            ):
                found = (
                    self._given(start + variable, f"s3.{part}.{key}")
                    or self._given(start + variable, f"s3.{key}")
                    or (self._of_store(start + variable, of_store, in_secret) if deployed else None)
                )
                if found:
                    yield found

    def _bundled_endpoint(self) -> str:
        if not self.bundled_since_2:
            name = self.text("s3.nameOverride") or "s3"
            return f"http://{self.fullname}-{name}:9000"
        name = _cut(self._fullname("s3.", "s3"), LONGEST_STORE_NAME)
        return f"http://{name}-all-in-one:{self.text('s3.allInOne.s3.port') or 8333}"

    def _of_store(self, variable: str, key: str, in_secret: str) -> Variable:
        secret, given = self.text("s3.auth.existingSecret"), self.text(f"s3.auth.{key}SecretKey")
        if secret and given:
            return _secret(variable, secret, given)
        if self.bundled_since_2:
            name = self.text("s3.allInOne.s3.existingConfigSecret") or "langfuse-s3-auth"
            return _secret(variable, name, in_secret)
        return {"name": variable, "value": self.text(f"s3.auth.{key}")}

    def _given(self, variable: str, path: str) -> Variable | None:
        """The chart's `value` or `secretKeyRef`, or a text; None: neither."""
        name = self.text(f"{path}.secretKeyRef.name")
        key = self.text(f"{path}.secretKeyRef.key")
        if name and key:
            return _secret(variable, name, key)
        plain = (
            self.at(path) if not isinstance(self.at(path), Mapping) else self.at(f"{path}.value")
        )
        return {"name": variable, "value": plain} if plain not in (None, "", False) else None

    @staticmethod
    def _plain(**variables: str | None) -> Iterator[Variable]:
        for name, value in variables.items():
            if value:
                yield {"name": name, "value": value}


def _secret(variable: str, name: str, key: str) -> Variable:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}


def _cut(name: str, longest: int = LONGEST_NAME) -> str:
    return name[:longest].removesuffix("-")
