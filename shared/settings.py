"""Typed settings, read once per process from SERA_* variables; units stand in the names."""

from functools import cached_property
from pathlib import Path
from socket import gethostname
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import SeraError

ROOT = Path(__file__).resolve().parents[1]
SECRETS = Path("/run/secrets")
"""Where containers find a file for each secret, named as its variable; a variable goes before."""
Port = Annotated[int, Field(ge=1, le=65535)]
Share = Annotated[float, Field(gt=0, lt=1)]
Cases = Annotated[int, Field(ge=1, le=100_000)]
ISSUER = (
    r"^(https://[^\s?#]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/[^\s?#]*)?)$"
)
Sensitivity = Annotated[float, Field(ge=0.80, le=0.99)]


class SettingMissing(SeraError):
    code = "setting-missing"
    text = "{variable} is not set. Start the embedded stack with `./sera up`, or set the variable to your own engine."


class Settings(BaseSettings):
    """Everything a process is told from outside. URLs left unset mean the embedded engines."""

    model_config = SettingsConfigDict(
        env_prefix="SERA_",
        extra="ignore",
        secrets_dir=SECRETS if SECRETS.is_dir() else None,
    )

    home: Path = ROOT / ".sera"
    production: bool = False
    """Nothing starts while a setting is unsafe (`shared/security/production_checks.py`); `./sera doctor` says which is."""
    host: str = "127.0.0.1"
    port: Port = 8000
    public_url: Annotated[str, Field(pattern=r"^https?://[^\s/]+/?$")] | None = None
    """What hospitals reach SERA by. With https:// here browsers are told to come by nothing else."""
    database_url: SecretStr | None = None
    database_owner_url: SecretStr | None = None
    """With which migrations run, where the services' own login does not own the tables, as it should not."""
    broker_url: SecretStr | None = None
    objects_url: SecretStr | None = None
    weights_dir: Path | None = None
    recipes_dir: Path | None = None
    """Recipes of one's own, NAME.toml each, beside those that ship; the same for the gateway and every trainer."""
    ready_file: Path | None = None
    alive_file: Path | None = None
    """Where a worker says that it gets on, for `python -m services.worker.liveness_probe`."""

    max_upload_mib: Annotated[int, Field(ge=1, le=512)] = 32
    body_stall_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    """A client that sends nothing of its body for so long is cut off; in the first so many seconds it may be slow."""
    least_body_bytes_per_s: Annotated[int, Field(ge=1)] = 16 * 1024
    """Slower on the whole, and it is cut off too: an image of 1 MiB takes a minute at most."""
    rate_per_minute: Cases = 1200
    """Cases a hospital may send in a minute, and at once after a quiet one, unless it has a rate of its own."""
    inflight_quota: Cases = 5000
    """Cases of a hospital that may wait or be read at a time, unless it has a quota of its own."""
    max_queued: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Cases of all hospitals that may wait; the next one is answered 429."""
    urgent_reserve: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Share of each of these limits that only urgent cases may use."""
    receipts_kept_h: Annotated[float, Field(ge=24, le=720)] = 168.0
    """How long a request may be repeated under its Idempotency-Key: a week outlives a weekend without a network."""
    same_key_wait_s: Annotated[float, Field(ge=0.1, le=60)] = 5.0
    """How long a repeat waits for the request that it repeats, before it is told to come again."""
    long_poll_max_s: Annotated[float, Field(ge=0, le=120)] = 30.0

    max_images: Annotated[int, Field(ge=1, le=512)] = 8
    """The most a worker claims at once. Two batches are in hand, so with more of them a hospital that sends 20 cases
    beside a flood would wait over twice as long as alone; a GPU may want more."""
    batch_s: Annotated[float, Field(gt=0, le=60)] = 0.5
    """About how long a worker's batch takes: it claims no more than it reads in that time, and at most `max_images`.
    A case that goes before all others still waits for the batch that is being read and the one made ready."""
    decoders: Annotated[int, Field(ge=1, le=64)] = 2
    """Processes of a worker that read images, about 55 MiB each; a shadow has one."""
    decode_s: Annotated[float, Field(ge=1, le=600)] = 20.0
    """An image that takes longer to be read fails alone. No source, ours: the largest let in take 1 to 9 s on two busy
    cores. Its batch-mates wait so long at most."""
    decode_mib: Annotated[int, Field(ge=256, le=65_536)] = 1024
    """Memory that reading one image may take; the largest let in, of 40 million pixels, need less in every format."""
    lease_s: Annotated[float, Field(ge=1)] = 20.0
    max_attempts: Annotated[int, Field(ge=2, le=100)] = 5
    """Workers that may be lost with a case before it is given up. The first may be lost through a batch-mate of it; it
    is read alone from then on, so the others tell of itself: hence two at least."""
    worker_name: str = Field(default_factory=gethostname)
    """What a worker signs leases with; give each worker of one machine its own."""
    trainers: Annotated[int, Field(ge=0, le=16)] = 1
    """Trainer processes that `./sera up` runs; they share this machine's cores."""
    ring_every_s: Annotated[float, Field(gt=0)] = 3.0

    stalled_after_s: Annotated[float, Field(gt=0)] = 120.0
    """When cases have waited so long and none was answered meanwhile, `/readyz` says that the service is degraded."""

    stuck_after_s: Annotated[float, Field(ge=1)] = 60.0
    """A worker that completes nothing for so long, while cases wait all that time, is restarted. And it holds a batch
    no longer than this and a lease, counted from when last something of it moved: an image was made ready, or inference
    began. Twice `decode_s` at least; more than inferring `max_images` takes."""
    long_task_s: Annotated[float, Field(ge=1)] = 600.0
    """How long a first model may take to load, or an explanation to be made, before it counts as stuck."""

    least_free_mib: Annotated[int, Field(ge=0)] = 1024
    """With less room where the home lies, `/readyz` says that the service is degraded and `./sera doctor` fails."""

    prevalence: Share = 0.23
    """Share of malignant nodules a hospital expects when it has not said: the upper end of 15-23 % (K20)."""
    fna_rule: str = "risk-band/ACR-2017/1"
    least_target_sensitivity: Sensitivity = 0.80
    most_target_sensitivity: Sensitivity = 0.99
    """What a hospital's administrator may choose between for its cut-off; models hold cut-offs for 0.80 to 0.99."""

    gate_margin: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """AUC by which a candidate may be worse than the live model: the margin of Rodriguez-Ruiz et al., JNCI 111:916
    (2019), for a machine against radiologists."""
    gate_significance: Annotated[float, Field(ge=0.001, le=0.2)] = 0.05
    """One-sided. A trial would take 0.025; behind this gate stand a shadow and a rollback."""
    gate_sensitivity_floor: Annotated[float, Field(ge=0, le=1)] = 0.80
    """Malignant test images to be found: the deck's radiologists found 79 % and 95 % by TIRADS."""
    gate_calibration_limit: Annotated[float, Field(gt=0, le=0.5)] = 0.10
    """Expected calibration error. No source, ours: with more, a stated 10 % may be 20 %, where ACR's TR5 begins."""
    gate_least_of_each_class: Annotated[int, Field(ge=2, le=1000)] = 10
    """Test images of a class. DeLong's normal approximation is poor below; power asks for far more."""
    shadow_batch: Annotated[int, Field(ge=1, le=64)] = 8
    """Cases a shadow reads in one transaction."""

    backup_within_h: Annotated[float, Field(ge=1)] = 26.0
    """`./sera doctor` says so when the last backup is older: a daily one, and two hours for it to be late."""
    audit_seal_every_s: Annotated[float, Field(ge=1)] = 300.0
    """How much of the audit trail's end could be cut off unseen by who owns the database: what is not yet sealed."""
    audit_key: SecretStr | None = None
    """Ed25519 private key of the seals, 32 bytes in base64; left unset, $SERA_HOME/keys/audit-ed25519."""
    retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """After which cases are erased, where their hospital does not say; unset, they are kept."""
    sweep_every_s: Annotated[float, Field(ge=1)] = 60.0
    """How often is looked for cases that are due and for images that erasures left behind."""
    trusted_proxies: str = ""
    """Addresses or networks, with commas, whose X-Forwarded-For and X-Forwarded-Proto are believed;
    all others speak for themselves."""

    people_key: SecretStr | None = None
    """Key under which authenticators' secrets are kept, 32 bytes in base64, the same for every gateway; left unset,
    $SERA_HOME/keys/people-aes."""
    session_idle_min: Annotated[int, Field(ge=1, le=24 * 60)] = 30
    session_most_h: Annotated[int, Field(ge=1, le=24 * 7)] = 12
    """A person signs in again after so long unused, and so long at all: the limits of NIST SP 800-63B for AAL2."""
    sign_ins_per_minute: Annotated[int, Field(ge=1, le=10_000)] = 30
    """Tries from one address, and at once after a quiet minute; a hospital may come by one address."""
    password_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Passwords a gateway hashes at a time, with 64 MiB each."""

    oidc_issuer: Annotated[str, Field(pattern=ISSUER)] | None = None
    """A provider of identities (OpenID Connect) that people may sign in by; over TLS, or on this machine."""
    oidc_client_id: str = "sera"
    oidc_client_secret: SecretStr | None = None
    """Unset: SERA is a public client there, with PKCE as always."""
    oidc_scopes: str = "openid profile email"
    oidc_create: bool = False
    """Make an account at the first sign-in, of the role and the hospital that the provider names."""
    oidc_role_claim: str = "sera_role"
    """Claim of the ID token with one role by its name here, or a list with one among others; dots go deeper."""
    oidc_hospital_claim: str = "sera_hospital"
    """Claim with the hospital's name as SERA has it, or a list with one among others."""

    log_level: str = "INFO"
    metrics_port: Port | None = None
    """Where worker, shadow, trainer and beat answer Prometheus; unset, nowhere, as is right for `./sera up`, where they
    share one machine's ports. The gateway answers at `/metrics` of its own."""
    metrics_host: str = "0.0.0.0"
    """Counts and times only, nothing of a case; yet give the port a network that only Prometheus reaches."""
    otlp_url: (
        Annotated[str, Field(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$")] | None
    ) = None
    """A collector of OpenTelemetry (OTLP over HTTP) that traces are sent to; unset, none are made."""
    trace_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of the requests that are traced, where traces are made at all."""

    @field_validator("home", "weights_dir", "recipes_dir", "ready_file", "alive_file")
    @classmethod
    def absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path else None

    @model_validator(mode="after")
    def slow_reading_is_not_stuck(self) -> Self:
        """An image may take all its time without its batch being taken away."""
        if self.stuck_after_s < 2 * self.decode_s:
            raise ValueError(
                "SERA_STUCK_AFTER_S must be twice SERA_DECODE_S at least. Raise it or lower the other."
            )
        return self

    @cached_property
    def database(self) -> str:
        """SQLAlchemy URL; a plain `postgresql://` is taken to psycopg2."""
        return _sqlalchemy(_needed(self.database_url, "SERA_DATABASE_URL"))

    @cached_property
    def database_owner(self) -> str:
        """SQLAlchemy URL of the tables' owner; the services' own where no other is named."""
        owner = self.database_owner_url
        return _sqlalchemy(owner.get_secret_value()) if owner else self.database

    @cached_property
    def broker(self) -> str:
        return _needed(self.broker_url, "SERA_BROKER_URL")

    @cached_property
    def objects(self) -> str:
        return (
            self.objects_url.get_secret_value()
            if self.objects_url
            else (self.home / "objects").as_uri()
        )

    @property
    def demo_passwords(self) -> Path:
        """One file for each of the demo's people."""
        return self.home / "keys" / "demo"

    @property
    def max_upload_bytes(self) -> int:
        return self.max_upload_mib * 1024 * 1024


def _sqlalchemy(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


def _needed(secret: SecretStr | None, variable: str) -> str:
    if secret is None:
        raise SettingMissing(variable=variable)
    return secret.get_secret_value()
