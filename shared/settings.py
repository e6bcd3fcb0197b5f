"""Typed settings, read once per process from SERA_* variables. The names carry the units."""

from functools import cached_property
from pathlib import Path
from socket import gethostname
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import SeraError

ROOT = Path(__file__).resolve().parents[1]
SECRETS = Path("/run/secrets")
"""Containers find one file for each secret here, named as its variable. A variable overrides it."""
Port = Annotated[int, Field(ge=1, le=65535)]
Share = Annotated[float, Field(gt=0, lt=1)]
Cases = Annotated[int, Field(ge=1, le=100_000)]
ISSUER = (
    r"^(https://[^\s?#]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/[^\s?#]*)?)$"
)
Sensitivity = Annotated[float, Field(ge=0.80, le=0.99)]


class SettingMissing(SeraError):
    code = "setting-missing"
    text = (
        "{variable} is not set. Start the embedded stack with `./sera up`, or set the variable to "
        "your own engine."
    )


class Settings(BaseSettings):
    """All configuration of a process. URLs that are not set mean the embedded engines."""

    model_config = SettingsConfigDict(
        env_prefix="SERA_",
        extra="ignore",
        secrets_dir=SECRETS if SECRETS.is_dir() else None,
    )

    home: Path = ROOT / ".sera"
    production: bool = False
    """Nothing starts while a setting is unsafe (`shared/security/production_checks.py`).

    `./sera doctor` lists the unsafe settings.
    """
    host: str = "127.0.0.1"
    port: Port = 8000
    public_url: Annotated[str, Field(pattern=r"^https?://[^\s/]+/?$")] | None = None
    """The address at which hospitals reach SERA. With https:// browsers must use TLS."""
    database_url: SecretStr | None = None
    database_owner_url: SecretStr | None = None
    """The login of the tables' owner, for migrations. The services' login should own nothing."""
    broker_url: SecretStr | None = None
    objects_url: SecretStr | None = None
    weights_dir: Path | None = None
    recipes_dir: Path | None = None
    """A folder of further recipes, NAME.toml each, the same for the gateway and every trainer."""
    ready_file: Path | None = None
    alive_file: Path | None = None
    """The file of a worker's progress, for `python -m services.worker.liveness_probe`."""

    preview_kept_min: Annotated[int, Field(ge=1, le=24 * 60)] = 30
    """How long a previewed image is kept if its sender asks for it, in minutes."""
    max_kept_previews: Annotated[int, Field(ge=1)] = 200
    max_kept_previews_mib: Annotated[int, Field(ge=1)] = 1024
    """How many previewed images of a hospital are kept at a time, and how much they may take.

    Our own choice, without a source: twenty readers who preview an image every three minutes.
    """
    max_upload_mib: Annotated[int, Field(ge=1, le=512)] = 32
    body_stall_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    """A client that sends no part of its body for this long is cut off.

    During the first seconds, for the same length of time, the client may be slower than
    `least_body_bytes_per_s` demands.
    """
    least_body_bytes_per_s: Annotated[int, Field(ge=1)] = 16 * 1024
    """A body that is slower on average is cut off too: an image of 1 MiB takes a minute at most."""
    rate_per_minute: Cases = 1200
    """Cases that a hospital may send in a minute, unless the hospital has its own rate.

    After a minute without cases it may send as many at once.
    """
    inflight_quota: Cases = 5000
    """Cases of a hospital that may be waiting or in work, unless the hospital has its own quota."""
    max_queued: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Cases of all hospitals that may wait. The next case is refused with status 429."""
    urgent_reserve: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """The share of each of these limits that only urgent cases may use."""
    receipts_kept_h: Annotated[float, Field(ge=24, le=720)] = 168.0
    """How long a request may be repeated under its Idempotency-Key, in hours.

    A week covers a weekend without a network.
    """
    same_key_wait_s: Annotated[float, Field(ge=0.1, le=60)] = 5.0
    """How long a repeat waits for the original request before it is refused with "try again"."""
    long_poll_max_s: Annotated[float, Field(ge=0, le=120)] = 30.0
    long_polls_per_key: Annotated[int, Field(ge=1)] = 128
    event_streams_per_key: Annotated[int, Field(ge=1)] = 32
    """Open long polls and event streams of one API key or session; one more is refused (429)."""
    event_stream_max_s: Annotated[float, Field(gt=0)] = 3600.0
    """An event stream ends after this time. Browsers then connect again by themselves."""
    statement_timeout_s: Annotated[float, Field(ge=1, le=600)] = 20.0
    """How long a statement of the gateway may take in the database.

    Three seconds later the gateway gives up a database that does not respond at all.
    """

    max_images: Annotated[int, Field(ge=1, le=512)] = 8
    """The most cases that a worker claims at once.

    A worker holds two batches. With larger batches a hospital that sends 20 cases during a flood of
    other cases would wait over twice as long as alone. A GPU may want more.
    """
    batch_s: Annotated[float, Field(gt=0, le=60)] = 0.5
    """The target time of a worker's batch.

    A worker claims no more cases than it can process in this time, and at most `max_images`. Even
    the most urgent case waits for the batch in inference and for the one in preparation.
    """
    decoders: Annotated[int, Field(ge=1, le=64)] = 2
    """Processes of a worker that decode images, about 55 MiB each. A shadow worker has one."""
    decode_s: Annotated[float, Field(ge=1, le=600)] = 20.0
    """An image that takes longer to decode fails, and the rest of its batch continues.

    Our own choice, without a source: the largest accepted images take 1 to 9 s on two busy cores.
    The rest of the batch waits this long at most.
    """
    decode_mib: Annotated[int, Field(ge=256, le=65_536)] = 1024
    """Memory that decoding one image may take.

    The largest accepted images, of 40 million pixels, need less in every format.
    """
    lease_s: Annotated[float, Field(ge=1)] = 20.0
    max_attempts: Annotated[int, Field(ge=2, le=100)] = 5
    """The number of lost workers after which a case fails.

    The first loss may be the fault of another case in the batch. From then on the case is
    processed alone, so the case itself causes a further loss. Hence the minimum is two.
    """
    worker_name: str = Field(default_factory=gethostname)
    """The name under which a worker holds leases. Each worker of a machine needs its own."""
    trainers: Annotated[int, Field(ge=0, le=16)] = 1
    """Trainer processes that `./sera up` runs. They share this machine's cores."""
    ring_every_s: Annotated[float, Field(gt=0)] = 3.0

    stalled_after_s: Annotated[float, Field(gt=0)] = 120.0
    """`/readyz` reports degraded if cases have waited this long and no case got a result."""

    stuck_after_s: Annotated[float, Field(ge=1)] = 60.0
    """A worker that completes nothing for this long while cases wait is restarted.

    It also limits how long a worker holds a batch: this time plus one lease, counted from the
    batch's last progress (an image was prepared, or inference began). It must be at least twice
    `decode_s`, and longer than inference of `max_images` takes.
    """
    long_task_s: Annotated[float, Field(ge=1)] = 600.0
    """How long a worker may take to load a first model or to compute an explanation.

    After that the worker counts as stuck.
    """

    least_free_mib: Annotated[int, Field(ge=0)] = 1024
    """With less free space at the home, `/readyz` reports degraded and `./sera doctor` fails."""

    prevalence: Share = 0.23
    """Share of malignant nodules for hospitals that set none: the upper end of 15-23 % (K20)."""
    fna_rule: str = "risk-band/ACR-2017/1"
    least_target_sensitivity: Sensitivity = 0.80
    most_target_sensitivity: Sensitivity = 0.99
    """Bounds of an administrator's choice. Models have cut-offs for 0.80 to 0.99."""

    gate_margin: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """How much lower the AUC of a candidate may be than the AUC of the live model.

    The margin of Rodriguez-Ruiz et al., JNCI 111:916 (2019), for a machine against radiologists.
    """
    gate_significance: Annotated[float, Field(ge=0.001, le=0.2)] = 0.05
    """One-sided.

    A trial would use 0.025, but here shadow evaluation and rollback follow the gate.
    """
    gate_sensitivity_floor: Annotated[float, Field(ge=0, le=1)] = 0.80
    """The share of malignant test images that a candidate must call malignant.

    The radiologists of the founding presentation found 79 % and 95 % by TIRADS.
    """
    gate_calibration_limit: Annotated[float, Field(gt=0, le=0.5)] = 0.10
    """Expected calibration error. Our own choice, without a source.

    With a larger error, a stated risk of 10 % may be 20 %, where ACR's TR5 begins.
    """
    gate_roi_auc_floor: Annotated[float, Field(ge=0, le=1)] = 0.60
    """AUC with each kind of ROI, where no live model can be compared with. Our own choice, without a
    source: 0.5 is a guess by chance.
    """
    gate_least_of_each_class: Annotated[int, Field(ge=2, le=1000)] = 10
    """Test images of a class. DeLong's normal approximation is poor below; power needs far more."""
    shadow_batch: Annotated[int, Field(ge=1, le=64)] = 8
    """Cases that a shadow processes in one transaction."""

    backup_within_h: Annotated[float, Field(ge=1)] = 26.0
    """`./sera doctor` warns if the latest backup is older than this.

    The default is a day, and two hours for a late backup.
    """
    audit_seal_every_s: Annotated[float, Field(ge=1)] = 300.0
    """Seconds between two seals of the audit trail.

    The owner of the database could delete the unsealed end of the trail without a trace.
    """
    audit_key: SecretStr | None = None
    """Ed25519 private key of the seals, 32 bytes, base64. Unset: $SERA_HOME/keys/audit-ed25519."""
    retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """Cases are erased after this time unless their hospital sets its own. Unset: they are kept."""
    sweep_every_s: Annotated[float, Field(ge=1)] = 60.0
    """The period of the search for cases to erase and for images that erasures left behind."""
    trusted_proxies: str = ""
    """Proxies (addresses or networks, with commas) whose X-Forwarded headers are trusted.

    The headers are X-Forwarded-For and X-Forwarded-Proto. For all other clients SERA uses the
    address and scheme of the connection.
    """

    people_key: SecretStr | None = None
    """The key for authenticators' secrets, 32 bytes in base64, the same for every gateway.

    Unset: $SERA_HOME/keys/people-aes.
    """
    session_idle_min: Annotated[int, Field(ge=1, le=24 * 60)] = 30
    session_most_h: Annotated[int, Field(ge=1, le=24 * 7)] = 12
    """The first limit is the idle time in minutes, the second the total time in hours.

    A session ends at whichever limit comes first.

    These are the limits of NIST SP 800-63B for AAL2.
    """
    sign_ins_per_minute: Annotated[int, Field(ge=1, le=10_000)] = 30
    """Sign-in attempts from one address in a minute. A whole hospital may share one address."""
    password_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Passwords that a gateway hashes at a time, with 64 MiB each."""

    oidc_issuer: Annotated[str, Field(pattern=ISSUER)] | None = None
    """An identity provider (OpenID Connect) for signing in, over TLS or on this machine."""
    oidc_client_id: str = "sera"
    oidc_client_secret: SecretStr | None = None
    """Unset: SERA is a public client. PKCE is used in both cases."""
    oidc_scopes: str = "openid profile email"
    oidc_create: bool = False
    """Create an account at the first sign-in, with the role and hospital from the provider."""
    oidc_role_claim: str = "sera_role"
    """The ID token's claim with one of SERA's role names, or a list that contains one.

    Dots in the name lead to nested claims.
    """
    oidc_hospital_claim: str = "sera_hospital"
    """The claim with a hospital's name in SERA, or a list that contains one."""

    log_level: str = "INFO"
    metrics_port: Port | None = None
    """The port for Prometheus of worker, shadow, trainer and beat.

    Unset: no port. That is right for `./sera up`, since its processes share one machine. The
    gateway serves its own metrics at `/metrics`.
    """
    metrics_host: str = "0.0.0.0"
    """The address of that port. Metrics are counts and times only; still, see `metrics_key`."""
    metrics_key: Annotated[SecretStr | None, Field(min_length=16)] = None
    """The bearer token with which Prometheus and KEDA read the metrics of every process.

    Unset: outside of production, a process that listens on this machine alone shows them to
    everybody. All others show them to nobody, except the gateway to keys of operators and auditors.
    """
    otlp_url: (
        Annotated[str, Field(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$")] | None
    ) = None
    """An OpenTelemetry collector (OTLP over HTTP) for the traces. Unset: no traces."""
    trace_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The share of requests that are traced, if `otlp_url` is set."""

    @field_validator("home", "weights_dir", "recipes_dir", "ready_file", "alive_file")
    @classmethod
    def absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path else None

    @model_validator(mode="after")
    def check_stuck_limit(self) -> Self:
        """An image that takes all of `decode_s` must not count as a stuck worker."""
        if self.stuck_after_s < 2 * self.decode_s:
            raise ValueError(
                "SERA_STUCK_AFTER_S must be twice SERA_DECODE_S at least. Raise it or lower the "
                "other."
            )
        return self

    @cached_property
    def database(self) -> str:
        """SQLAlchemy URL. A plain `postgresql://` uses psycopg2."""
        return _sqlalchemy_url(_required(self.database_url, "SERA_DATABASE_URL"))

    @cached_property
    def database_owner(self) -> str:
        """SQLAlchemy URL of the tables' owner. Unset: the services' own."""
        if self.database_owner_url is None:
            return self.database
        return _sqlalchemy_url(self.database_owner_url.get_secret_value())

    @cached_property
    def broker(self) -> str:
        return _required(self.broker_url, "SERA_BROKER_URL")

    @cached_property
    def objects(self) -> str:
        if self.objects_url is None:
            return (self.home / "objects").as_uri()
        return self.objects_url.get_secret_value()

    @property
    def demo_passwords(self) -> Path:
        """The folder with one password file for each of the demo's people."""
        return self.home / "keys" / "demo"

    @property
    def max_upload_bytes(self) -> int:
        return self.max_upload_mib * 1024 * 1024


def _sqlalchemy_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


def _required(secret: SecretStr | None, variable: str) -> str:
    if secret is None:
        raise SettingMissing(variable=variable)
    return secret.get_secret_value()
