"""`trustedCertificates`: what is taken for the certificate of an authority, and what is not.

It proves what a stack file is refused for, and that no error shows a private key. It does not prove
that anybody is trusted: tests/unit/components/test_authorities.py does.
"""

import pytest

from langfuse_aws.settings.loading import SettingsError, load
from langfuse_aws.settings.trusted_certificates import LONGEST
from tests.unit.certificates import issue

AUTHORITY = issue("Private Root", authority=True)
OTHER = issue("Other Root", authority=True)
SERVER = issue("db.example.com", AUTHORITY)
EXPIRED = issue("Old Root", authority=True, days=-3)

ON_APP_RUNNER = {
    "domain": "langfuse.example.com",
    "web": {"platform": "appRunner"},
    "network": {"egress": "natInstance"},
    "images": {"source": "mirror"},
}


def refused(pem: object, **keys: object) -> list[str]:
    try:
        load({"size": "dev", "trustedCertificates": pem, **keys})
    except SettingsError as error:
        return error.problems
    return []


def test_authorities_are_taken_as_openssl_and_browsers_write_them() -> None:
    for text in (
        AUTHORITY.pem,
        f"{AUTHORITY.pem}\n{OTHER.pem}\n",
        f"# Private Root\n{AUTHORITY.pem}\n\nsubject=CN = Other Root\n{OTHER.pem}",
        f"{AUTHORITY.pem}\n{OTHER.pem}".replace("\n", "\r\n"),
    ):
        taken = load({"size": "dev", "trustedCertificates": text}).trusted_certificates
        both = OTHER.pem.splitlines()[1] in text
        assert taken == (f"{AUTHORITY.pem}\n{OTHER.pem}" if both else AUTHORITY.pem)


def test_what_is_no_authority_is_refused_by_its_place_and_without_its_text() -> None:
    broken = AUTHORITY.pem.replace(AUTHORITY.pem.splitlines()[2], "A" * 64)
    request = AUTHORITY.pem.replace("CERTIFICATE", "CERTIFICATE REQUEST")
    cases = {
        "x": "has no certificate in PEM. Pulumi config set langfuse:trustedCertificates < "
        "authority.pem sets one of a file.",
        f"{AUTHORITY.pem}\n{AUTHORITY.key}": "has a private key, which the stack file now shows to "
        "whoever reads it. Take the key out, make another one, and give the authority's "
        "certificate alone.",
        f"{AUTHORITY.pem}\n{SERVER.pem}": "block 2 of 2 is the certificate of a server, and of no "
        "authority. Give that of the authority which has issued it.",
        f"{broken}\n{OTHER.pem}": "block 1 of 2 is no certificate that OpenSSL can read. Copy it "
        "again, with every line: openssl x509 -in FILE -noout -subject must read it.",
        request: "block 1 of 1 is a certificate request. Give certificates of authorities alone.",
    }
    for pem, said in cases.items():
        (line,) = refused(pem)
        assert line == f"langfuse:trustedCertificates: {said}"
    (line,) = refused(EXPIRED.pem)
    assert line.startswith("langfuse:trustedCertificates: block 1 of 1 has expired, on ")
    assert line.endswith("GMT. Give the authority's new certificate.")


def test_more_than_a_task_definition_has_room_for_is_refused() -> None:
    many = "\n".join(issue(f"Root {n}", authority=True).pem for n in range(70))
    (line,) = refused(many)
    assert len(many) > LONGEST
    assert "bytes, and a task definition has room for 32,768. Give the root authorities" in line


@pytest.mark.parametrize("container", ["web", "worker"])
def test_a_file_of_another_kind_beside_them_is_refused(container: str) -> None:
    own = {"environment": {"NODE_EXTRA_CA_CERTS": "/etc/mine.pem"}}
    (line,) = refused(AUTHORITY.pem, **{container: own})
    assert line.endswith(
        f"{container}.environment has NODE_EXTRA_CA_CERTS too, and Node.js reads one file. Remove "
        "one of them."
    )


def test_app_runner_takes_none() -> None:
    (line,) = refused(AUTHORITY.pem, **ON_APP_RUNNER)
    assert line.endswith(
        "App Runner runs one container, and has no volume that another could write them to. "
        "Remove it, or choose web.platform fargate."
    )
