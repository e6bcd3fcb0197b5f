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
    containers,
    labels,
    matches,
    of,
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


def test_production_accepts_the_settings(things, monkeypatch):
    for each in of(things, "ConfigMap").values():
        for name, value in each["data"].items():
            monkeypatch.setenv(name, value)
        told = Settings()
        checks = (
            production_checks.exposure,
            production_checks.default_home,
            production_checks.trusted_proxies,
        )
        assert [check(told) for check in checks] == [None, None, None]
        assert told.production


def test_each_process_of_the_stack_runs_as_it_does_on_one_machine(things):
    here = {child.name: ["python", *child.command[1:]] for child in SERVICES}
    there = {
        name: box["command"]
        for name, spec in pods(things).items()
        for box in spec["containers"]
    }
    assert there == here
    assert all(find_spec(command[2]) for command in there.values())


def test_each_image_is_the_services_own_of_this_version(things):
    for name, spec in pods(things).items():
        (box,) = spec["containers"]
        image, tag = box["image"].rsplit("/", 1)[-1].split(":")
        assert image.removesuffix("-cuda") == IMAGES[name]
        assert tag.removesuffix("-cuda") == VERSION
        on_gpu = "nvidia.com/gpu" in box["resources"]["limits"]
        assert on_gpu == tag.endswith("-cuda") == ("nodeSelector" in spec)
        assert {
            each["image"].rsplit("/", 1)[-1] for each in spec.get("initContainers", ())
        } <= {f"sera-api:{VERSION}"}


def test_nothing_runs_as_root_or_may_write_beside_its_volumes(things):
    for spec in pods(things).values():
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False, (
            "a Service's variables must not be taken for settings"
        )
        who = spec["securityContext"]
        assert (
            who["runAsNonRoot"],
            who["runAsUser"],
            who["runAsGroup"],
            who["fsGroup"],
        ) == (
            True,
            10001,
            10001,
            10001,
        )
        assert who["seccompProfile"] == {"type": "RuntimeDefault"}
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
        each["automountServiceAccountToken"] is False
        for each in of(things, "ServiceAccount").values()
    )


def test_probes_ask_what_the_code_answers(things):
    paths = {route.path for route in router.routes}
    for name, spec in pods(things).items():
        (box,) = spec["containers"]
        for probe in (
            box[each]
            for each in ("startupProbe", "livenessProbe", "readinessProbe")
            if each in box
        ):
            if "httpGet" in probe:
                assert probe["httpGet"]["path"] in paths
                continue
            command = probe["exec"]["command"]
            told = {each["name"]: each.get("value") for each in box["env"]}
            assert command == ["test", "-e", told["SERA_READY_FILE"]] or find_spec(
                command[2]
            )
        assert ("livenessProbe" in box) == (name in {"api", "worker"})
        assert ("startupProbe" in box) == (name != MIGRATIONS)
    assert {
        each["httpGet"]["path"] for each in walk(pods(things)["api"], "readinessProbe")
    } == {"/readyz"}


def test_patience_is_no_shorter_than_the_settings_ask_for(things):
    told = Settings()
    spec = pods(things)
    assert (
        spec["worker"]["terminationGracePeriodSeconds"]
        >= told.stuck_after_s + told.lease_s
    )
    assert spec["trainer"]["terminationGracePeriodSeconds"] >= told.lease_s
    start = spec["worker"]["containers"][0]["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= told.long_task_s
    (alive,) = walk(spec["worker"]["containers"], "livenessProbe")
    assert alive["initialDelaySeconds"] >= told.stuck_after_s


def test_a_pod_reaches_the_engines_whose_addresses_it_has_and_nothing_is_let_in_by_default(
    things,
):
    policies = of(things, "NetworkPolicy")
    assert policies["nothing-else"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    found = {
        thing["metadata"]["name"]: labels(thing)
        for thing in things
        if thing["kind"] in PODS
    }
    for name, spec in pods(things).items():
        taken = [
            each["spec"]
            for each in policies.values()
            if matches(each["spec"]["podSelector"], found[name])
        ]
        reached = {
            port for each in taken for port in walk(each.get("egress", ()), "port")
        } - {53}
        known = {key for keys in secrets(spec).values() for key in keys}
        needed = {port for key, port in ENGINES.items() if key in known}
        assert reached - TRACES == needed | (
            {443} if "SERA_OIDC_CLIENT_SECRET" in known else set()
        )
        let_in = {
            port for each in taken for port in walk(each.get("ingress", ()), "port")
        }
        assert let_in <= ({"http", "metrics"})


def test_what_the_migration_needs_is_applied_first(things):
    first = {
        (each["kind"], each["metadata"]["name"])
        for each in things
        if "rollout" in each["metadata"]["labels"]
    }
    spec = pods(things)["migrate"]
    needed = {("Job", "migrate"), ("Namespace", "sera"), ("ServiceAccount", "migrate")}
    needed |= {("ConfigMap", each["name"]) for each in walk(spec, "configMapRef")}
    needed |= {
        ("NetworkPolicy", name) for name in ("nothing-else", "names", "database")
    }
    assert needed <= first
    assert not {kind for kind, _ in first} & {
        "Deployment",
        "ScaledObject",
        "HorizontalPodAutoscaler",
        "Ingress",
    }
