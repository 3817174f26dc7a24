"""A Redis that takes TLS only, with a password, at a port that stays when it is killed."""

import socket
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.free_port import free_port
from tests.queues.conftest import NEEDED, PASSWORD, wait_for

HOST: Final = "localhost"


class Certificates:
    """An authority, and a certificate of it for this machine."""

    def __init__(self, folder: Path) -> None:
        self.authority, self.certificate, self.key = (
            folder / name for name in ("ca.pem", "redis.pem", "redis.key")
        )
        now = datetime.now(timezone.utc)
        root, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the tests' authority")])

        def signed(
            subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
        ) -> bytes:
            builder = x509.CertificateBuilder(
                issuer, subject, key.public_key(), x509.random_serial_number()
            )
            builder = builder.not_valid_before(now - timedelta(days=1))
            builder = builder.not_valid_after(now + timedelta(days=1))
            builder = builder.add_extension(extension, critical=False)
            return builder.sign(root, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

        self.authority.write_bytes(signed(issuer, root, x509.BasicConstraints(True, None)))
        self.certificate.write_bytes(
            signed(x509.Name([]), own, x509.SubjectAlternativeName([x509.DNSName(HOST)]))
        )
        self.key.write_bytes(
            own.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


class TlsRedis:
    """The server. It is not there before `running`."""

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        self.port = free_port()
        self._folder, self.certificates = folder, certificates
        self.environment = {
            "REDIS_HOST": HOST,
            "REDIS_PORT": str(self.port),
            "REDIS_AUTH": PASSWORD,
            "REDIS_TLS_ENABLED": "true",
            "REDIS_TLS_CA_PATH": str(certificates.authority),
        }

    @contextmanager
    def running(self) -> Generator["TlsRedis"]:
        """Serve an empty Redis until the end of the block, and kill it then."""
        options = {
            "port": "0",
            "tls-port": str(self.port),
            "tls-cert-file": str(self.certificates.certificate),
            "tls-key-file": str(self.certificates.key),
            "tls-ca-cert-file": str(self.certificates.authority),
            "tls-auth-clients": "no",
            "tls-replication": "yes",
            "requirepass": PASSWORD,
            "masterauth": PASSWORD,
            "maxmemory-policy": "noeviction",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        process = subprocess.Popen(
            [NEEDED, "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder), *words],
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_for(self.port)
            yield self
        finally:
            process.kill()
            process.wait()

    def tell(self, *words: str) -> str:
        """Send a command; the answer as Redis' own client prints it."""
        done = subprocess.run(
            [
                "redis-cli",
                "-e",
                *("-h", HOST, "-p", str(self.port), "-a", PASSWORD, "--no-auth-warning"),
                *("--tls", "--cacert", str(self.certificates.authority), *words),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout


class Way:
    """An address that leads to a server, and later to another: connections stay where they are."""

    def __init__(self, target: int) -> None:
        self.port, self.target = free_port(), target
        self.silent = False
        """Whether nothing that comes is passed on, as by a server that is gone without a word."""

    @contextmanager
    def open(self) -> Generator["Way"]:
        """Lead on until the end of the block."""
        listener = socket.create_server(("127.0.0.1", self.port))

        def serve() -> None:
            while True:
                try:
                    inner, _ = listener.accept()
                except OSError:
                    return
                outer = socket.create_connection(("127.0.0.1", self.target))
                for source, sink in ((inner, outer), (outer, inner)):
                    threading.Thread(target=carry, args=(source, sink), daemon=True).start()

        def carry(source: socket.socket, sink: socket.socket) -> None:
            with suppress(OSError):
                while content := source.recv(65_536):
                    if not self.silent:
                        sink.sendall(content)
            with suppress(OSError):
                sink.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            listener.close()
