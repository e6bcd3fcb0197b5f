"""`python -m deploy.docker.secrets FOLDER`: creates the shared secrets of a Docker stack once.

Each service gets its own folder, which is mounted only into that service (`/run/secrets`), so that
no service can read another's secrets. A second run changes nothing. To draw all secrets again,
remove the folders' volumes and the database's volume.
"""

import base64
import ipaddress
import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Files = Mapping[str, str]
DONE_MARKER = "stack_secrets"
OBJECTS_HOST = "objects"
OBJECTS_PORT = 8333
BUCKET = "sera"
METRICS_PART = "prometheus"
METRICS_KEY_FILE = "metrics-key"
METRICS_SERVICES = ("api", "worker", "trainer", "beat")
YEARS = 10
"""Validity of the object store's certificate, which only services of the stack see."""


def password() -> str:
    """A random password of letters and digits, which needs no escaping in a URL."""
    return secrets.token_hex(24)


def key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class StackSecrets:
    """Every secret of a stack."""

    owner: str = field(default_factory=password)
    service: str = field(default_factory=password)
    broker: str = field(default_factory=password)
    grafana: str = field(default_factory=password)
    objects_key: str = field(default_factory=lambda: "sera" + secrets.token_hex(8))
    objects_secret: str = field(default_factory=password)
    audit_key: str = field(default_factory=key)
    people_key: str = field(default_factory=key)

    @property
    def service_url(self) -> str:
        return f"postgresql://sera_service:{self.service}@database:5432/sera"

    @property
    def owner_url(self) -> str:
        return f"postgresql://sera:{self.owner}@database:5432/sera"

    @property
    def broker_url(self) -> str:
        return f"redis://:{self.broker}@broker:6379/0"

    @property
    def objects_url(self) -> str:
        login = f"{self.objects_key}:{self.objects_secret}"
        return f"s3://{login}@{OBJECTS_HOST}:{OBJECTS_PORT}/{BUCKET}?secure=true"


def files_by_service(stack_secrets: StackSecrets) -> dict[str, Files]:
    """The content of each file by service and file name."""
    authority, certificate, private = create_certificate(OBJECTS_HOST)
    trusted = {"ca-bundle.crt": Path(certifi.where()).read_text() + authority}
    engines = {
        "SERA_DATABASE_URL": stack_secrets.service_url,
        "SERA_BROKER_URL": stack_secrets.broker_url,
    }
    application_files = (
        engines | {"SERA_OBJECTS_URL": stack_secrets.objects_url} | trusted
    )
    return {
        "api": application_files | {"SERA_PEOPLE_KEY": stack_secrets.people_key},
        "worker": application_files | {"SERA_AUDIT_KEY": stack_secrets.audit_key},
        "trainer": application_files,
        "beat": {"SERA_BROKER_URL": stack_secrets.broker_url},
        "migrate": {
            "SERA_DATABASE_OWNER_URL": stack_secrets.owner_url,
            "SERA_DATABASE_URL": stack_secrets.service_url,
        },
        "database": {
            "owner-password": stack_secrets.owner,
            "service-password": stack_secrets.service,
        },
        "broker": {"password": stack_secrets.broker},
        "grafana": {"grafana-password": stack_secrets.grafana},
        "objects": {
            "s3.json": identities(stack_secrets),
            "access-key": stack_secrets.objects_key,
            "secret-key": stack_secrets.objects_secret,
            "public.crt": certificate,
            "private.key": private,
        },
    }


def identities(stack_secrets: StackSecrets) -> str:
    """The list of SeaweedFS accounts and their rights."""
    login = {
        "accessKey": stack_secrets.objects_key,
        "secretKey": stack_secrets.objects_secret,
    }
    return json.dumps(
        {"identities": [{"name": "sera", "credentials": [login], "actions": ["Admin"]}]}
    )


def create_certificate(host: str) -> tuple[str, str, str]:
    """Create a certificate for a server inside the stack.

    Returns the authority, the certificate and its private key, each as PEM.
    """
    authority_key = ec.generate_private_key(ec.SECP256R1())
    server_key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "SERA stack")])
    authority = _signed(
        issuer, issuer, authority_key.public_key(), authority_key, ca=True
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    server = _signed(subject, issuer, server_key.public_key(), authority_key, host=host)
    private = server_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return _pem(authority), _pem(server), private.decode()


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    ca: bool = False,
    host: str | None = None,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * YEARS))
        .add_extension(
            x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True
        )
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(public), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
        .add_extension(_usage(ca), critical=True)
    )
    if host:
        names = [
            x509.DNSName(host),
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
        builder = builder.add_extension(
            x509.SubjectAlternativeName(names), critical=False
        )
    return builder.sign(signer, hashes.SHA256())


def _usage(ca: bool) -> x509.KeyUsage:
    """The key usage, which Python's certificate check requires (RFC 5280, section 4.2.1.3)."""
    unused_usages = dict.fromkeys(
        (
            "content_commitment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=False,
        key_cert_sign=ca,
        crl_sign=ca,
        **unused_usages,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def write_once(root: Path, shared: Mapping[str, Files]) -> bool:
    """Write all files; return False if an earlier run has written them.

    The files are readable by every user, because a service may run under another user in its image.
    Only that service has the folder mounted.
    """
    if all((root / part / DONE_MARKER).exists() for part in shared):
        return False
    for part, files in shared.items():
        for name, content in files.items():
            _write(root / part / name, content)
    for part in shared:
        (root / part / DONE_MARKER).touch()
    return True


def add_metrics_key(root: Path) -> None:
    """Give every service and Prometheus the key of the metrics, unless they have it.

    It is separate from the other secrets, which a stack of an earlier version has already.
    """
    marker = root / METRICS_PART / METRICS_KEY_FILE
    if marker.exists():
        return
    metrics_key = password()
    for part in METRICS_SERVICES:
        _write(root / part / "SERA_METRICS_KEY", metrics_key)
    _write(marker, metrics_key)


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(content)
    path.chmod(0o444)


def main(root: Path) -> None:
    written = write_once(root, files_by_service(StackSecrets()))
    add_metrics_key(root)
    sys.stdout.write(
        "secrets stack_secrets\n" if written else "secrets are there already\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
