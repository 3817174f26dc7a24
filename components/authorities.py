"""Gives a task a file with the authorities that it is to trust.

A container gets no file from a secret or a setting. So a small first container, of the same image,
writes it to a volume of the task, and ends; the others start then, and can only read it.

The file is AWS's authorities for databases in the region, and those of `trustedCertificates`, after
the image's own. Prisma's engine reads it by SSL_CERT_FILE: its own argument `sslcert` takes one
certificate (https://github.com/prisma/prisma-engines/blob/main/quaint/src/connector/postgres/native/mod.rs).
Node.js adds NODE_EXTRA_CA_CERTS to the authorities that it has, for Redis, ClickHouse, model
providers and sign-in alike (https://nodejs.org/api/cli.html#node_extra_ca_certsfile).

`data_plane/rds_authorities.pem` has the G1 roots of each region, which end in 2061 and later, from
https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem, below a line with its name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from langfuse_aws.settings.agreement import EXTRA_CERTIFICATES
from langfuse_aws.settings.external_stores import ExternalPostgres
from langfuse_aws.settings.model import Settings

CONTAINER: Final = "write-certificates"
"""Stands last in a definition, which lists its containers by name."""
VOLUME: Final = "certificates"
FOLDER: Final = "/certificates"
FILE: Final = f"{FOLDER}/authorities.pem"
VARIABLE: Final = "AUTHORITIES"
"""Of the first container."""
OPENSSL_VARIABLE: Final = "SSL_CERT_FILE"
IMAGES_OWN: Final = "/etc/ssl/certs/ca-certificates.crt"
"""Alpine's, which node's images are made of."""

SCRIPT: Final = f'{{ cat {IMAGES_OWN}; printf "%s\\n" "${VARIABLE}"; }} > {FILE}'
"""Fails where it cannot write; an image without authorities of its own is none of its business."""

_TABLE: Final = Path(__file__).parent / "data_plane" / "rds_authorities.pem"


@dataclass(frozen=True)
class Authorities:
    """What a task is to trust."""

    pem: str
    variables: Mapping[str, str]
    """By which its containers find the file."""


@cache
def of_databases() -> Mapping[str, str]:
    """AWS's authorities for databases, as PEM, by region."""
    parts = re.split(r"^# (\S+)\n", _TABLE.read_text("ascii"), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def authorities(settings: Settings, region: str) -> Authorities | None:
    """What web, worker and the migration are to trust; None: what their images do."""
    own = settings.trusted_certificates
    of_aws = of_databases().get(region, "")
    if isinstance(settings.postgres, ExternalPostgres) and own is None:
        return None
    pem = "\n".join(filter(None, (of_aws.strip(), own)))
    if not pem:
        return None
    extra = {EXTRA_CERTIFICATES: FILE} if own else {}
    return Authorities(pem, {OPENSSL_VARIABLE: FILE, **extra})


def unverified(settings: Settings, region: str) -> str | None:
    """Say that PostgreSQL's certificate is not verified, where nothing else is meant."""
    if isinstance(settings.postgres, ExternalPostgres) or authorities(settings, region):
        return None
    return (
        f"langfuse:postgres.mode: the authorities of AWS's databases in {region} are not known "
        "here, so connections to PostgreSQL are encrypted, and its certificate is not verified. "
        "Set langfuse:trustedCertificates to the region's bundle of "
        "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html"
    )


READERS: Final[Mapping[str, Any]] = {
    "dependsOn": [{"containerName": CONTAINER, "condition": "SUCCESS"}],
    "mountPoints": [{"sourceVolume": VOLUME, "containerPath": FOLDER, "readOnly": True}],
}
"""Keys of the definitions of the containers that read the file."""

WRITER: Final[Mapping[str, Any]] = {
    "essential": False,
    "entryPoint": ["sh", "-c"],
    "command": [SCRIPT],
    # Fargate's volumes belong to root, and the images have another user.
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
    "user": "0",
    "readonlyRootFilesystem": True,
    "mountPoints": [{"sourceVolume": VOLUME, "containerPath": FOLDER, "readOnly": False}],
}
"""Keys of the definition of the container that writes it."""
