"""Pods of `deploy/kubernetes`: what they run, may do, reach and wait for, against the code that
runs in them.
"""

from importlib.util import find_spec

from deploy.local.services import MIGRATIONS, SERVICES
from services.api.monitoring.router import router
from shared.security import production_checks
from shared.settings import Settings
from shared.version import VERSION
from tests.support.kubernetes import (
    PODS,
    by_name,
    containers,
    labels,
    matches,
    pods,
    secrets,
    walk,
)

IMAGES = {
    "api": "sera-api",
    "worker": "sera-worker",
    "shadow": "sera-worker",
    "trainer": "sera-trainer",
}
IMAGES |= {"beat": "sera-api", "migrate": "sera-api"}
ENGINES = {
    "SERA_DATABASE_URL": 5432,
    "SERA_DATABASE_OWNER_URL": 5432,
    "SERA_BROKER_URL": 6379,
    "SERA_OBJECTS_URL": 443,
}


TRACES = {4318}
"""Where a collector of OpenTelemetry listens."""


def test_production_accepts_the_settings(manifests, monkeypatch):
    for item in by_name(manifests, "ConfigMap").values():
        for name, value in item["data"].items():
            monkeypatch.setenv(name, value)
        settings = Settings()
        checks = (
            production_checks.exposure,
            production_checks.default_home,
            production_checks.trusted_proxies,
        )
        assert [check(settings) for check in checks] == [None, None, None]
        assert settings.production


def test_each_process_of_the_stack_runs_as_it_does_on_one_machine(manifests):
    local_commands = {child.name: ["python", *child.command[1:]] for child in SERVICES}
    pod_commands = {
        name: box["command"]
        for name, spec in pods(manifests).items()
        for box in spec["containers"]
    }
    assert pod_commands == local_commands
    assert all(find_spec(command[2]) for command in pod_commands.values())


def test_each_image_is_the_services_own_of_this_version(manifests):
    for name, spec in pods(manifests).items():
        (box,) = spec["containers"]
        image, tag = box["image"].rsplit("/", 1)[-1].split(":")
        assert image.removesuffix("-cuda") == IMAGES[name]
        assert tag.removesuffix("-cuda") == VERSION
        on_gpu = "nvidia.com/gpu" in box["resources"]["limits"]
        assert on_gpu == tag.endswith("-cuda") == ("nodeSelector" in spec)
        assert {
            init_container["image"].rsplit("/", 1)[-1]
            for init_container in spec.get("initContainers", ())
        } <= {f"sera-api:{VERSION}"}


def test_nothing_runs_as_root_or_may_write_beside_its_volumes(manifests):
    for spec in pods(manifests).values():
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False, (
            "a Service's variables must not be taken for settings"
        )
        security_context = spec["securityContext"]
        assert (
            security_context["runAsNonRoot"],
            security_context["runAsUser"],
            security_context["runAsGroup"],
            security_context["fsGroup"],
        ) == (
            True,
            10001,
            10001,
            10001,
        )
        assert security_context["seccompProfile"] == {"type": "RuntimeDefault"}
        for box in containers(spec):
            may = box["securityContext"]
            assert (may["allowPrivilegeEscalation"], may["readOnlyRootFilesystem"]) == (
                False,
                True,
            )
            assert may["capabilities"] == {"drop": ["ALL"]}
            assert {"cpu", "memory"} <= set(box["resources"]["requests"])
            assert "memory" in box["resources"]["limits"]
    assert all(
        item["automountServiceAccountToken"] is False
        for item in by_name(manifests, "ServiceAccount").values()
    )


def test_probes_ask_what_the_code_answers(manifests):
    paths = {route.path for route in router.routes}
    for name, spec in pods(manifests).items():
        (box,) = spec["containers"]
        for probe in (
            box[item]
            for item in ("startupProbe", "livenessProbe", "readinessProbe")
            if item in box
        ):
            if "httpGet" in probe:
                assert probe["httpGet"]["path"] in paths
                continue
            command = probe["exec"]["command"]
            result = {item["name"]: item.get("value") for item in box["env"]}
            assert command == ["test", "-e", result["SERA_READY_FILE"]] or find_spec(
                command[2]
            )
        assert ("livenessProbe" in box) == (name in {"api", "worker"})
        assert ("startupProbe" in box) == (name != MIGRATIONS)
    assert {
        item["httpGet"]["path"]
        for item in walk(pods(manifests)["api"], "readinessProbe")
    } == {"/readyz"}


def test_patience_is_no_shorter_than_the_settings_ask_for(manifests):
    settings = Settings()
    spec = pods(manifests)
    assert (
        spec["worker"]["terminationGracePeriodSeconds"]
        >= settings.stuck_after_s + settings.lease_s
    )
    assert spec["trainer"]["terminationGracePeriodSeconds"] >= settings.lease_s
    start = spec["worker"]["containers"][0]["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= settings.long_task_s
    (alive,) = walk(spec["worker"]["containers"], "livenessProbe")
    assert alive["initialDelaySeconds"] >= settings.stuck_after_s


def test_a_pod_reaches_the_engines_whose_addresses_it_has_and_nothing_is_let_in_by_default(
    manifests,
):
    policies = by_name(manifests, "NetworkPolicy")
    assert policies["nothing-else"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    found = {
        manifest["metadata"]["name"]: labels(manifest)
        for manifest in manifests
        if manifest["kind"] in PODS
    }
    for name, spec in pods(manifests).items():
        policies_of_pod = [
            policy["spec"]
            for policy in policies.values()
            if matches(policy["spec"]["podSelector"], found[name])
        ]
        reached_ports = {
            port
            for item in policies_of_pod
            for port in walk(item.get("egress", ()), "port")
        } - {53}
        secret_keys = {key for keys in secrets(spec).values() for key in keys}
        required = {port for key, port in ENGINES.items() if key in secret_keys}
        assert reached_ports - TRACES == required | (
            {443} if "SERA_OIDC_CLIENT_SECRET" in secret_keys else set()
        )
        let_in = {
            port
            for item in policies_of_pod
            for port in walk(item.get("ingress", ()), "port")
        }
        assert let_in <= ({"http", "metrics"})


def test_what_the_migration_needs_is_applied_first(manifests):
    first = {
        (item["kind"], item["metadata"]["name"])
        for item in manifests
        if "rollout" in item["metadata"]["labels"]
    }
    spec = pods(manifests)["migrate"]
    required = {
        ("Job", "migrate"),
        ("Namespace", "sera"),
        ("ServiceAccount", "migrate"),
    }
    required |= {("ConfigMap", item["name"]) for item in walk(spec, "configMapRef")}
    required |= {
        ("NetworkPolicy", name) for name in ("nothing-else", "names", "database")
    }
    assert required <= first
    assert not {kind for kind, _ in first} & {
        "Deployment",
        "ScaledObject",
        "HorizontalPodAutoscaler",
        "Ingress",
    }
