"""What is read of a Langfuse in Kubernetes: the chart's values, and what kubectl exports.

What the values become was compared by hand with what `helm template` makes of the charts 1.5.41 and
2.0.0. That kubectl's commands do what the messages say was not tried.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.move_in.reading import read_source
from langfuse_aws.automation.move_in.source import Source

KEY: Final = "ab" * 32
NONE: Final[dict[str, Any]] = {"value": "", "secretKeyRef": {"name": "", "key": ""}}
USE: Final[dict[str, Any]] = {
    "bucket": "",
    "prefix": "",
    "region": "",
    "endpoint": "",
    "forcePathStyle": None,
    "accessKeyId": NONE,
    "secretAccessKey": NONE,
}


def reference(name: str, key: str) -> dict[str, Any]:
    """A value that is in a Secret."""
    return {"value": "", "secretKeyRef": {"name": name, "key": key}}


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Put values over others, as Helm does it."""
    result = dict(one)
    for key, value in other.items():
        before: Any = result.get(key)
        both = isinstance(before, dict) and isinstance(value, dict)
        result[key] = merged(before, value) if both else value  # pyright: ignore[reportUnknownArgumentType]
    return result


# As `helm get values --all` gives them, as far as they are looked at.
COMMON: Final[dict[str, Any]] = {
    "nameOverride": "",
    "fullnameOverride": "",
    "langfuse": {
        "nodeEnv": "production",
        "salt": NONE,
        "encryptionKey": NONE,
        "licenseKey": NONE,
        "nextauth": {"url": "https://langfuse.example.com", "secret": NONE},
        "features": {"telemetryEnabled": True, "signUpDisabled": False},
        "smtp": {"connectionUrl": "", "fromAddress": ""},
        "allowedOrganizationCreators": [],
        "image": {"tag": None},
        "additionalEnv": [],
        "additionalEnvFrom": [],
        "web": {"image": {"tag": None}, "pod": {"additionalEnv": [], "additionalEnvFrom": []}},
        "worker": {"image": {"tag": None}, "pod": {"additionalEnv": [], "additionalEnvFrom": []}},
    },
    "postgresql": {
        "deploy": True,
        "host": "",
        "port": None,
        "args": "",
        "directUrl": "",
        "auth": {
            "username": "postgres",
            "password": "",
            "existingSecret": "",
            "secretKeys": {"userPasswordKey": "password", "adminPasswordKey": "password"},
            "database": "postgres_langfuse",
        },
    },
    "redis": {"deploy": True, "auth": {"existingSecret": "gone", "existingSecretPasswordKey": "x"}},
    "clickhouse": {
        "deploy": True,
        "host": "",
        "httpPort": 8123,
        "database": "default",
        "auth": {
            "username": "default",
            "password": "",
            "existingSecret": "",
            "existingSecretKey": "",
        },
    },
    "s3": {
        "deploy": True,
        "storageProvider": "s3",
        "bucket": "",
        "region": "auto",
        "endpoint": "",
        "forcePathStyle": True,
        "accessKeyId": NONE,
        "secretAccessKey": NONE,
        "eventUpload": USE,
        "batchExport": {**USE, "enabled": True},
        "mediaUpload": {**USE, "enabled": True},
        "defaultBuckets": "langfuse",
        "auth": {
            "rootUser": "minio",
            "rootPassword": "",
            "existingSecret": "",
            "rootUserSecretKey": "",
            "rootPasswordSecretKey": "",
        },
    },
}
OF_1: Final = merged(
    COMMON,
    {
        "langfuse": {
            "salt": {"value": "hush-salt"},
            "encryptionKey": reference("langfuse-general", "encryption"),
            "nextauth": {"secret": reference("langfuse-general", "nextauth")},
            "additionalEnv": [{"name": "AUTH_GOOGLE_CLIENT_ID", "value": "google-id"}],
        },
        "postgresql": {"auth": {"password": "hush-postgres"}},
        "clickhouse": {
            "auth": {"existingSecret": "langfuse-clickhouse", "existingSecretKey": "admin-password"}
        },
        "s3": {"auth": {"rootPassword": "hush-minio"}},
    },
)
OF_2: Final = merged(
    COMMON,
    {
        "postgresql": {
            "auth": {"username": "langfuse", "database": "langfuse"},
            "settings": {"existingSecret": "langfuse-postgresql-auth"},
        },
        "s3": {
            "bucket": "langfuse",
            "auth": {"rootUser": "langfuse"},
            "allInOne": {"s3": {"port": 8333, "existingConfigSecret": "langfuse-s3-auth"}},
        },
    },
)
FORWARDED: Final = """
DATABASE_HOST=127.0.0.1:15432
CLICKHOUSE_URL=http://127.0.0.1:18123
LANGFUSE_S3_EVENT_UPLOAD_ENDPOINT=http://127.0.0.1:19000
LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT=http://127.0.0.1:19000
LANGFUSE_S3_BATCH_EXPORT_ENDPOINT=http://127.0.0.1:19000
"""


def secret(name: str, **values: str) -> dict[str, Any]:
    """A Secret, as kubectl gives it; `stringData` for what is given as `plain_NAME`."""
    data = {
        key.replace("_", "-"): base64.b64encode(value.encode()).decode()
        for key, value in values.items()
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "ai"},
        "data": data,
    }


GENERAL: Final = secret("langfuse-general", encryption=KEY, nextauth="hush-nextauth")
OF_STORES: Final = [
    {
        **secret("langfuse-clickhouse"),
        "data": None,
        "stringData": {"admin-password": "hush-clickhouse"},
    },
]
RELEASE: Final = {"meta.helm.sh/release-name": "observe"}


def of_2(name: str, values: Mapping[str, str]) -> dict[str, Any]:
    """A Secret that the chart 2.0.0 has made, as release `observe`."""
    found = secret(name)
    found["metadata"] |= {
        "annotations": RELEASE,
        "labels": {"helm.sh/chart": "langfuse-2.0.0", "app.kubernetes.io/version": "4.4.0"},
    }
    found["data"] = {key: base64.b64encode(each.encode()).decode() for key, each in values.items()}
    return found


MADE_BY_2: Final = [
    of_2(
        "observe-langfuse-app",
        {"salt": "hush-salt", "encryption-key": KEY, "nextauth-secret": "hush-nextauth"},
    ),
    of_2("langfuse-postgresql-auth", {"USERDB_PASSWORD": "hush-postgres"}),
    of_2("observe-langfuse-clickhouse-auth", {"password": "hush-clickhouse"}),
    of_2("langfuse-s3-auth", {"accessKey": "langfuse", "secretKey": "hush-minio"}),
]


def write(folder: Path, name: str, *documents: object) -> Path:
    """Write YAML, or a text as it is."""
    path = folder / name
    text = documents[0] if isinstance(documents[0], str) else yaml.safe_dump_all(documents)
    path.write_text(str(text))
    return path


def read(folder: Path, values: object, *objects: object, later: str = FORWARDED) -> Source:
    """Read values, a List of objects, and a file of variables that wins."""
    listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    paths = [write(folder, "secrets.yaml", listed), write(folder, "values.yaml", values)]
    if later:
        paths.append(write(folder, "later.env", later))
    return read_source(paths, {})


def refused(folder: Path, values: object, *objects: object, later: str = FORWARDED) -> list[str]:
    """The lines; none has a secret or more than a line."""
    with pytest.raises(UserError) as caught:
        read(folder, values, *objects, later=later)
    for line in caught.value.messages:
        assert "hush" not in line
        assert KEY not in line
        assert "\n" not in line
    return [line.replace(f"{folder}/", "") for line in caught.value.messages]


@pytest.mark.parametrize(
    ("values", "objects", "user", "database", "access_key"),
    [
        (OF_1, [GENERAL, *OF_STORES], "postgres", "postgres_langfuse", "minio"),
        (OF_2, MADE_BY_2, "langfuse", "langfuse", "langfuse"),
    ],
    ids=["1.5.41", "2.0.0"],
)
def test_values_and_secrets_are_the_source_that_a_compose_file_is(
    tmp_path: Path,
    values: object,
    objects: list[Any],
    user: str,
    database: str,
    access_key: str,
) -> None:
    source = read(tmp_path, values, *objects)
    assert str(source.postgres) == f"postgresql://127.0.0.1:15432/{database}"
    assert (source.postgres.user, source.postgres.password) == (user, "hush-postgres")
    assert str(source.clickhouse) == "http://127.0.0.1:18123/default"
    assert (source.clickhouse.user, source.clickhouse.password) == ("default", "hush-clickhouse")
    assert set(source.objects) == {"events", "media", "exports"}
    for store in source.objects.values():
        assert (store.bucket, store.prefix, store.path_style) == ("langfuse", "", True)
        assert (store.access_key, store.secret_key) == (access_key, "hush-minio")
    assert source.url == "https://langfuse.example.com"
    assert source.release == ("4.4.0" if values is OF_2 else None)
    environment = source.environment
    assert environment["SALT"] == "hush-salt"
    assert environment["ENCRYPTION_KEY"] == KEY
    assert environment["NEXTAUTH_SECRET"] == "hush-nextauth"
    # What is as Langfuse has it by itself is nothing to look at.
    assert "AUTH_DISABLE_SIGNUP" not in environment
    assert not [name for name in environment if name.startswith("REDIS_")]
    assert "hush" not in repr(source)


def test_names_of_the_cluster_are_told_with_the_way_to_each_all_at_once(tmp_path: Path) -> None:
    def said(variables: str, host: str, port: int) -> str:
        return (
            f"values.yaml: {variables} at {host}:{port}, a name that only the cluster knows. "
            f"kubectl -n ai port-forward svc/{host} {port}:{port} opens it here; give it with "
            f"127.0.0.1:{port} in a file of NAME=VALUE by another --from, which wins."
        )

    endpoints = ", ".join(
        f"LANGFUSE_S3_{each}_ENDPOINT" for each in ("EVENT_UPLOAD", "BATCH_EXPORT", "MEDIA_UPLOAD")
    )
    assert refused(tmp_path, OF_1, GENERAL, *OF_STORES, later="") == [
        said("DATABASE_HOST is", "langfuse-postgresql", 5432),
        said("CLICKHOUSE_URL is", "langfuse-clickhouse", 8123),
        said(f"{endpoints} are", "langfuse-s3", 9000),
    ]
    assert refused(tmp_path, OF_2, *MADE_BY_2, later="") == [
        said("DATABASE_HOST is", "observe-postgresql", 5432),
        said("CLICKHOUSE_URL is", "observe-langfuse-clickhouse-headless", 8123),
        said(f"{endpoints} are", "observe-s3-all-in-one", 8333),
    ]


def test_what_only_configures_needs_no_way_to_the_stores(tmp_path: Path) -> None:
    paths = [write(tmp_path, "values.yaml", OF_1), write(tmp_path, "s.yaml", GENERAL, *OF_STORES)]
    source = read_source(paths, {}, reached=False)
    assert source.environment["SALT"] == "hush-salt"
    write(tmp_path, "values.yaml", merged(OF_1, {"langfuse": {"salt": reference("none", "s")}}))
    with pytest.raises(UserError, match="SALT is in key s of Secret none, which no file has"):
        read_source(paths, {}, reached=False)


@pytest.mark.parametrize(
    ("host", "to"),
    [
        ("db", "svc/db"),
        ("db.ai", "svc/db"),
        ("db.other.svc", "svc/db"),
        ("db.ai.svc.cluster.local", "svc/db"),
        ("localhost", "deploy/langfuse-web"),
        ("127.0.0.1", "deploy/langfuse-web"),
        ("db.example.com", None),
        ("10.0.0.7", None),
    ],
)
def test_a_host_is_the_clusters_by_its_form(tmp_path: Path, host: str, to: str | None) -> None:
    values = merged(OF_1, {"postgresql": {"deploy": False, "host": host, "port": 6432}})
    later = FORWARDED.replace("DATABASE_HOST=127.0.0.1:15432\n", "")
    if to is None:
        source = read(tmp_path, values, GENERAL, *OF_STORES, later=later)
        assert (source.postgres.host, source.postgres.port) == (host, 6432)
        return
    (line,) = refused(tmp_path, values, GENERAL, *OF_STORES, later=later)
    assert f"DATABASE_HOST is at {host}:6432, " in line
    assert f"port-forward {to} 6432:6432 opens it here; give it with 127.0.0.1:6432 " in line


def test_what_the_export_lacks_is_a_line_each_with_the_command(tmp_path: Path) -> None:
    values = merged(
        OF_1,
        {
            "langfuse": {
                "salt": reference("salt", "salt") | {"value": ""},
                "licenseKey": reference("license", "key"),
                "additionalEnv": [
                    {
                        "name": "PGPASSWORD",
                        "valueFrom": {"secretKeyRef": {"name": "pg", "key": "word"}},
                    },
                    {
                        "name": "DATABASE_URL",
                        "value": "postgresql://me:$(PGPASSWORD)@db.example.com/x",
                    },
                    {
                        "name": "NICE_TO_HAVE",
                        "valueFrom": {
                            "secretKeyRef": {"name": "none", "key": "none", "optional": True}
                        },
                    },
                ],
                "web": {"pod": {"additionalEnvFrom": [{"secretRef": {"name": "extra"}}]}},
            }
        },
    )
    general = secret("langfuse-general", encryption=KEY, other="hush")
    odd = {**secret("license"), "data": {"key": "hush!"}}
    assert refused(tmp_path, values, general, odd, later=FORWARDED) == [
        "values.yaml: Secret extra is in no file, and its keys are variables of Langfuse: "
        "kubectl -n ai get secret extra -o yaml > extra.yaml, and --from extra.yaml.",
        "values.yaml: SALT is in key salt of Secret salt, which no file has: "
        "kubectl -n ai get secret salt -o yaml > salt.yaml, and --from salt.yaml.",
        "values.yaml: NEXTAUTH_SECRET is in key nextauth of Secret langfuse-general, which has no "
        "such key (it has: encryption, other).",
        "values.yaml: LANGFUSE_EE_LICENSE_KEY is in key key of Secret license, whose value is no "
        "base64 of a text.",
        "values.yaml: CLICKHOUSE_PASSWORD is in key admin-password of Secret langfuse-clickhouse, "
        "which no file has: kubectl -n ai get secret langfuse-clickhouse -o yaml > "
        "langfuse-clickhouse.yaml, and --from langfuse-clickhouse.yaml.",
        "values.yaml: PGPASSWORD, DATABASE_URL are in key word of Secret pg, which no file has: "
        "kubectl -n ai get secret pg -o yaml > pg.yaml, and --from pg.yaml.",
    ]


def test_a_later_file_gives_what_the_export_lacks(tmp_path: Path) -> None:
    later = f"{FORWARDED}SALT='mine $1'\nCLICKHOUSE_PASSWORD=mine\n"
    values = merged(OF_1, {"langfuse": {"salt": reference("salt", "salt")}})
    source = read(tmp_path, values, GENERAL, later=later)
    assert source.environment["SALT"] == "mine $1"
    assert source.clickhouse.password == "mine"


def test_own_stores_sign_in_and_variables_come_as_the_templates_give_them(tmp_path: Path) -> None:
    values = merged(
        OF_1,
        {
            "langfuse": {
                "licenseKey": {"value": "hush-license"},
                "features": {"telemetryEnabled": False, "signUpDisabled": True},
                "allowedOrganizationCreators": ["a@example.com", "b@example.com"],
                "smtp": {"connectionUrl": "smtp://me:hush@x:25", "fromAddress": "l@example.com"},
                "image": {"tag": "3.224.0"},
                "auth": {
                    "disableUsernamePassword": True,
                    "providers": {
                        "azureAd": {
                            "clientId": "azure-id",
                            "clientSecret": reference("langfuse-general", "nextauth"),
                            "tenantId": "contoso",
                            "allowAccountLinking": False,
                        }
                    },
                },
                "additionalEnv": [
                    {"name": "BASE", "value": "a"},
                    {"name": "ONE", "value": "$(BASE)-$$(BASE)-$(NONE)-$"},
                    {
                        "name": "POD",
                        "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
                    },
                    {
                        "name": "SETTING",
                        "valueFrom": {"configMapKeyRef": {"name": "own", "key": "b.c"}},
                    },
                ],
                "worker": {"pod": {"additionalEnv": [{"name": "SIDE", "value": "worker"}]}},
                "web": {
                    "pod": {
                        "additionalEnv": [{"name": "SIDE", "value": "web"}],
                        "additionalEnvFrom": [{"prefix": "P_", "configMapRef": {"name": "own"}}],
                    }
                },
            },
            "postgresql": {
                "deploy": False,
                "host": "pooler.example.com",
                "directUrl": "postgresql://me:hush-direct@db.example.com:5433/langfuse",
            },
            "clickhouse": {
                "deploy": False,
                "host": "https://clickhouse.example.com",
                "httpPort": 8443,
                "auth": {"existingSecret": "", "password": "hush-clickhouse"},
            },
            "s3": {
                "deploy": False,
                "bucket": "shared",
                "prefix": "all/",
                "region": "eu-west-1",
                "forcePathStyle": False,
                "eventUpload": {"bucket": "events", "prefix": "e/"},
                "mediaUpload": {
                    "accessKeyId": {"value": "own"},
                    "secretAccessKey": reference("langfuse-general", "nextauth"),
                    "endpoint": "https://media.example.com",
                    "forcePathStyle": True,
                },
                "batchExport": {"enabled": False},
            },
        },
    )
    own = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "own"},
        "data": {"b.c": "x"},
    }
    source = read(tmp_path, values, GENERAL, own, later="")
    expected = {
        "LANGFUSE_EE_LICENSE_KEY": "hush-license",
        "TELEMETRY_ENABLED": "false",
        "AUTH_DISABLE_SIGNUP": "true",
        "AUTH_DISABLE_USERNAME_PASSWORD": "true",
        "AUTH_AZURE_AD_CLIENT_ID": "azure-id",
        "AUTH_AZURE_AD_CLIENT_SECRET": "hush-nextauth",
        "AUTH_AZURE_AD_TENANT_ID": "contoso",
        "LANGFUSE_ALLOWED_ORGANIZATION_CREATORS": "a@example.com,b@example.com",
        "SMTP_CONNECTION_URL": "smtp://me:hush@x:25",
        "EMAIL_FROM_ADDRESS": "l@example.com",
        "ONE": "a-$(BASE)-$(NONE)-$",
        "SETTING": "x",
        "P_b.c": "x",
        "SIDE": "web",
    }
    environment = source.environment
    assert {name: environment.get(name) for name in expected} == expected
    assert "POD" not in environment
    assert "AUTH_AZURE_AD_ALLOW_ACCOUNT_LINKING" not in environment
    assert source.release == "3.224.0"
    # Past the pooler, as migrations go.
    assert str(source.postgres) == "postgresql://db.example.com:5433/langfuse"
    assert source.postgres.password == "hush-direct"
    assert source.clickhouse.url == "https://clickhouse.example.com:8443"
    assert str(source.objects["events"]) == "s3://events/e/"
    assert source.objects["events"].access_key is None
    assert source.objects["events"].region == "eu-west-1"
    assert str(source.objects["media"]) == "s3://shared/all/ at https://media.example.com"
    assert source.objects["media"].secret_key == "hush-nextauth"
    assert source.objects["media"].path_style is True
    assert "exports" not in source.objects


def test_deployments_are_read_whatever_chart_has_made_them(tmp_path: Path) -> None:
    def deployment(name: str, image: str, env: list[Any], **more: Any) -> dict[str, Any]:
        containers = [{"image": "envoy"}, {"image": image, "env": env, **more}]
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": "ai"},
            "spec": {"template": {"spec": {"containers": containers}}},
        }

    shared = [
        {"name": "DATABASE_URL", "value": "postgresql://me:hush@db.example.com/langfuse"},
        {"name": "CLICKHOUSE_URL", "value": "https://clickhouse.example.com"},
        {"name": "CLICKHOUSE_USER", "value": "default"},
        {"name": "LANGFUSE_S3_EVENT_UPLOAD_BUCKET", "value": "langfuse"},
        {
            "name": "SALT",
            "valueFrom": {"secretKeyRef": {"name": "langfuse-general", "key": "nextauth"}},
        },
        {"name": "NEXTAUTH_SECRET", "value": "of the worker"},
    ]
    all_of = secret("all", CLICKHOUSE_PASSWORD="hush")
    all_of["data"] = {"CLICKHOUSE_PASSWORD": base64.b64encode(b"hush-clickhouse").decode()}
    path = write(
        tmp_path,
        "all.json",
        deployment("web-of-ours", "registry.example.com/langfuse/langfuse:3.224.0", [
            *shared, {"name": "NEXTAUTH_SECRET", "value": "of web"}
        ], envFrom=[{"secretRef": {"name": "all"}}]),
        deployment("worker", "langfuse/langfuse-worker:3", shared),
        GENERAL,
        all_of,
    )  # fmt: skip
    source = read_source([path], {})
    assert source.release == "3.224.0"
    assert source.environment["SALT"] == "hush-nextauth"
    assert source.environment["NEXTAUTH_SECRET"] == "of web"
    assert source.clickhouse.password == "hush-clickhouse"
    beside = write(tmp_path, "beside.yaml", path.read_text().replace("db.example.com", "localhost"))
    with pytest.raises(UserError) as caught:
        read_source([beside], {})
    (line,) = caught.value.messages
    assert "DATABASE_URL is at localhost:5432, in its own pod. kubectl -n ai port-forward " in line
    assert " deploy/web-of-ours 5432:5432 opens it here" in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "values.yaml, line 2: cannot be read as YAML."),
        ("a: 1", "values.yaml: has no services of docker compose, no values of Langfuse's Helm"),
        ("- a", "values.yaml: has no services of docker compose, no values of Langfuse's Helm"),
        ("", "values.yaml: has no services of docker compose, no values of Langfuse's Helm"),
        (
            "langfuse: {salt: {value: hush}}",
            "values.yaml: has not all values of Langfuse's chart, whose own ones are others in "
            "each version. helm get values langfuse --all -o yaml > values.yaml has them.",
        ),
    ],
)
def test_what_is_no_whole_source_is_a_line(tmp_path: Path, text: str, said: str) -> None:
    (line,) = refused(tmp_path, f"{text}\n", GENERAL)
    assert line.startswith(said)


def test_values_of_odd_forms_are_told_as_what_is_missing(tmp_path: Path) -> None:
    odd = "langfuse: {nodeEnv: x, additionalEnv: {a: b}, auth: {providers: [x]}, smtp: 1}\ns3: []\n"
    lines = refused(tmp_path, odd, {**GENERAL, "data": ["hush"]}, later="")
    assert [line for line in lines if "DATABASE_URL is not set. Give it in a file of" in line]
    assert [line for line in lines if "SALT is not set" in line]


def test_secrets_alone_ask_for_what_they_are_for(tmp_path: Path) -> None:
    path = write(tmp_path, "secrets.yaml", *MADE_BY_2)
    with pytest.raises(UserError) as caught:
        read_source([path], {})
    assert caught.value.messages == [
        f"{path}: has no Deployment of Langfuse, which says what its Secrets are for. Add helm get "
        "values observe --all -o yaml > values.yaml, or kubectl -n ai get deployment -o yaml."
    ]


def test_a_secret_of_two_namespaces_is_no_ones(tmp_path: Path) -> None:
    other = {**GENERAL, "metadata": {"name": "langfuse-general", "namespace": "dev"}}
    assert refused(tmp_path, OF_1, GENERAL, other, *OF_STORES) == [
        "values.yaml: ENCRYPTION_KEY, NEXTAUTH_SECRET are in Secret langfuse-general, of the "
        "namespaces ai, dev: export Langfuse's alone."
    ]


def test_other_storage_than_s3_is_refused(tmp_path: Path) -> None:
    values = merged(OF_1, {"s3": {"storageProvider": "gcs"}})
    (line,) = refused(tmp_path, values, GENERAL, *OF_STORES)
    assert "LANGFUSE_USE_GOOGLE_CLOUD_STORAGE is true: objects are copied from S3's API" in line
