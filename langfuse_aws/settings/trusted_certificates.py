"""`trustedCertificates`: the private authorities that the containers are to trust, as PEM. Pure."""

import re
import ssl
import time
from typing import Annotated, Final

from pydantic import AfterValidator

from langfuse_aws.settings.section import invalid

LONGEST: Final = 32_768
"""Bytes of all together, of the 64 KiB that ECS takes of a task definition.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html"""

_BLOCK: Final = re.compile(
    r"-----BEGIN (?P<label>[A-Z0-9 ]+)-----.*?-----END (?P=label)-----", re.DOTALL
)
_CERTIFICATE: Final = "CERTIFICATE"
_EXAMPLE: Final = "pulumi config set langfuse:trustedCertificates < authority.pem"


def _authorities(value: str) -> str:
    """Check them, and leave out what stands between them."""
    if "PRIVATE KEY" in value:
        raise invalid(
            "has a private key, which the stack file now shows to whoever reads it",
            "take the key out, make another one, and give the authority's certificate alone",
        )
    blocks = [*_BLOCK.finditer(value.replace("\r\n", "\n"))]
    if not blocks:
        raise invalid("has no certificate in PEM", f"{_EXAMPLE} sets one of a file")
    for number, block in enumerate(blocks, 1):
        _check(f"block {number} of {len(blocks)}", block["label"], block[0])
    text = "\n".join(dict.fromkeys(block[0] for block in blocks))
    if len(text.encode()) > LONGEST:
        raise invalid(
            f"has {len(text.encode()):,} bytes, and a task definition has room for {LONGEST:,}",
            "give the root authorities alone: what they have issued is trusted then",
        )
    return text


def _check(which: str, label: str, pem: str) -> None:
    if label != _CERTIFICATE:
        raise invalid(f"{which} is a {label.lower()}", "give certificates of authorities alone")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise invalid(
            f"{which} is no certificate that OpenSSL can read",
            "copy it again, with every line: openssl x509 -in FILE -noout -subject must read it",
        ) from None
    found = context.get_ca_certs()
    if not found:
        raise invalid(
            f"{which} is the certificate of a server, and of no authority",
            "give that of the authority which has issued it",
        )
    ends = str(found[0]["notAfter"])
    if ssl.cert_time_to_seconds(ends) < time.time():
        raise invalid(f"{which} has expired, on {ends}", "give the authority's new certificate")


TrustedCertificates = Annotated[str, AfterValidator(_authorities)]
