"""`python -m deploy.docker.secrets FOLDER`: draws what the parts of a stack must know of one
another, once.

Each part gets a folder of its own, to be mounted where that part alone reads it (`/run/secrets`),
so that no part can read another's. A second run changes nothing; to draw all anew, remove the
folders' volumes, the database's among them.
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
DONE = "drawn"
OBJECTS_HOST = "objects"
OBJECTS_PORT = 8333
BUCKET = "sera"
YEARS = 10
"""How long the object store's certificate is good, which only SERA's own parts see."""


def password() -> str:
    """Letters and digits only, so that it may stand in a URL as it is."""
    return secrets.token_hex(24)


def key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class Drawn:
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


def share_out(drawn: Drawn) -> dict[str, Files]:
    """What each part may know: folder, file, content."""
    authority, certificate, private = certify(OBJECTS_HOST)
    trusted = {"ca-bundle.crt": Path(certifi.where()).read_text() + authority}
    engines = {
        "SERA_DATABASE_URL": drawn.service_url,
        "SERA_BROKER_URL": drawn.broker_url,
    }
    whole = engines | {"SERA_OBJECTS_URL": drawn.objects_url} | trusted
    return {
        "api": whole | {"SERA_PEOPLE_KEY": drawn.people_key},
        "worker": whole | {"SERA_AUDIT_KEY": drawn.audit_key},
        "trainer": whole,
        "beat": {"SERA_BROKER_URL": drawn.broker_url},
        "migrate": {
            "SERA_DATABASE_OWNER_URL": drawn.owner_url,
            "SERA_DATABASE_URL": drawn.service_url,
        },
        "database": {"owner-password": drawn.owner, "service-password": drawn.service},
        "broker": {"password": drawn.broker},
        "grafana": {"grafana-password": drawn.grafana},
        "objects": {
            "s3.json": identities(drawn),
            "access-key": drawn.objects_key,
            "secret-key": drawn.objects_secret,
            "public.crt": certificate,
            "private.key": private,
        },
    }


def identities(drawn: Drawn) -> str:
    """SeaweedFS' list of who may do what."""
    login = {"accessKey": drawn.objects_key, "secretKey": drawn.objects_secret}
    return json.dumps(
        {"identities": [{"name": "sera", "credentials": [login], "actions": ["Admin"]}]}
    )


def certify(host: str) -> tuple[str, str, str]:
    """A certificate for a server that only this stack's parts reach: its authority, itself, its
    private key (PEM).
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
    """Python's own check of certificates asks for it (RFC 5280, section 4.2.1.3)."""
    others = dict.fromkeys(
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
        **others,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def keep(root: Path, shared: Mapping[str, Files]) -> bool:
    """Write every part's files; False where an earlier run has done so.

    A file is readable by all: its reader's user is another image's, and only its reader has the
    folder mounted.
    """
    if all((root / part / DONE).exists() for part in shared):
        return False
    for part, files in shared.items():
        folder = root / part
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).unlink(missing_ok=True)
            (folder / name).write_text(content)
            (folder / name).chmod(0o444)
    for part in shared:
        (root / part / DONE).touch()
    return True


def main(root: Path) -> None:
    made = keep(root, share_out(Drawn()))
    sys.stdout.write("secrets drawn\n" if made else "secrets are there already\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
