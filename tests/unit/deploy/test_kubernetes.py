"""`deploy/kubernetes`: files, and what each overlay makes of them, against Kubernetes' schemas and our code."""

import json
import os
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
from pydantic import SecretStr

from deploy.local.services import MIGRATIONS, SERVICES
from services.api.monitoring.router import router
from shared import safety
from shared.settings import Settings
from shared.version import VERSION
from tests.manifests import (
    FOLDER,
    KUSTOMIZATIONS,
    OVERLAYS,
    PODS,
    containers,
    documents,
    labels,
    lying_there,
    named_in,
    pods,
    rendered,
    renderer,
    secrets,
    settings,
    walk,
)

OLDEST, NEWEST = "1.30", "1.37"
"""A pod's `preStop.sleep` is there by default from 1.30 on; the newest is what the schemas know."""
OTHERS_NEED = {
    "ScaledObject": ("keda.sh/v1alpha1", ("scaleTargetRef.name", "minReplicaCount", "maxReplicaCount", "triggers")),
    "ExternalSecret": ("external-secrets.io/v1", ("secretStoreRef.name", "target.name", "data")),
    "PodMonitor": ("monitoring.coreos.com/v1", ("selector.matchLabels", "podMetricsEndpoints")),
}
"""Kinds of operators, whose schemas no package has: version, and fields below `spec` that they must have."""
OURS = re.compile(r"\bSERA_[A-Z_]+\b")
FIELDS = {f"SERA_{name.upper()}": field for name, field in Settings.model_fields.items()}
SECRET = {name for name, field in FIELDS.items() if SecretStr in get_args(field.annotation)}
IMAGES = {"api": "sera-api", "worker": "sera-worker", "shadow": "sera-worker", "trainer": "sera-trainer"}
IMAGES |= {"beat": "sera-api", "migrate": "sera-api"}
ENGINES = {"SERA_DATABASE_URL": 5432, "SERA_DATABASE_OWNER_URL": 5432, "SERA_BROKER_URL": 6379, "SERA_OBJECTS_URL": 443}
EVERYTHING = """
resources: [{base}]
components:
{components}
configMapGenerator:
  - {{name: settings, namespace: sera, behavior: merge, envs: [settings.env]}}
"""


@pytest.fixture(params=["files", *OVERLAYS, "everything"])
def things(request: pytest.FixtureRequest, tmp_path: Path) -> list[dict]:
    """Every object: as the files have it, or as it is applied."""
    if request.param == "files":
        return lying_there()
    if renderer() is None:
        pytest.skip("no kubectl or kustomize: `apt install kubernetes-client` has one that renders")
    return rendered(_everything(tmp_path) if request.param == "everything" else FOLDER / "overlays" / request.param)


def _everything(folder: Path) -> Path:
    """The base with all components at once, those too that no overlay takes."""
    components = [path.parent for path in KUSTOMIZATIONS if path.parent.parent.name == "components"]
    listed = "".join(f"  - {os.path.relpath(path, folder)}\n" for path in components)
    base, cpu = os.path.relpath(FOLDER / "base", folder), (FOLDER / "overlays" / "cpu" / "settings.env").read_text()
    (folder / "settings.env").write_text(cpu)
    (folder / "kustomization.yaml").write_text(EVERYTHING.format(base=base, components=listed))
    return folder


def of(things: list[dict], *kinds: str) -> dict[str, dict]:
    """Objects of these kinds, by name."""
    return {each["metadata"]["name"]: each for each in things if each["kind"] in kinds}


def field(thing: dict, path: str):
    """What stands under dotted names, or None."""
    for name in path.split("."):
        thing = thing.get(name, {}) if isinstance(thing, dict) else {}
    return None if thing == {} else thing


def matches(selector: dict, found: dict[str, str]) -> bool:
    """Whether a label selector takes something with these labels."""
    wanted = selector.get("matchLabels", {}).items() <= found.items()
    rules = [(each, found.get(each["key"])) for each in selector.get("matchExpressions", ())]
    return wanted and all((value in each["values"]) == (each["operator"] == "In") for each, value in rules)


def test_every_file_is_named_by_a_kustomization_and_every_named_one_is_there():
    read = {path.resolve() for kustomization in KUSTOMIZATIONS for path in named_in(kustomization)}
    files = {path for path in FOLDER.rglob("*") if path.is_file()} - {FOLDER / "README.md", *KUSTOMIZATIONS}
    folders = {path.parent for path in KUSTOMIZATIONS if path.parent.parent.name == "components"}
    assert {path for path in read if path.is_file()} == files
    assert {path for path in read if path.is_dir()} <= {FOLDER / "base", *folders}
    assert all(documents(path) for path in files if path.suffix == ".yaml")


def test_every_object_is_what_kubernetes_knows_and_nothing_more(things):
    if things is lying_there() and renderer():
        pytest.skip("rendered, the same objects are checked")
    for thing in things:
        if thing["kind"] not in OTHERS_NEED:
            known_to(NEWEST, json.dumps(thing, sort_keys=True))
        if thing["kind"] in PODS:
            known_to(OLDEST, json.dumps(thing, sort_keys=True))


@cache
def known_to(version: str, thing: str) -> None:
    """Overlays have most objects in common, and each is checked once."""
    kubernetes_validate.validate(json.loads(thing), version, strict=True)


def test_objects_of_operators_have_what_their_operators_need(things):
    for thing in things:
        if thing["kind"] in OTHERS_NEED:
            version, needed = OTHERS_NEED[thing["kind"]]
            assert thing["apiVersion"] == version
            assert [name for name in needed if field(thing["spec"], name) is None] == []


def test_no_name_is_given_twice(things):
    named = [(each["kind"], each["metadata"]["name"]) for each in things]
    assert len(named) == len(set(named))


def test_what_an_object_refers_to_is_there(things):
    made = {name: kind for kind in ("ExternalSecret",) for name in of(things, kind)}
    config, accounts = of(things, "ConfigMap"), of(things, "ServiceAccount")
    priorities, claims = of(things, "PriorityClass"), of(things, "PersistentVolumeClaim")
    for name, spec in pods(things).items():
        assert spec["serviceAccountName"] == name
        assert name in accounts
        assert spec.get("priorityClassName", "sera-serving") in priorities
        assert {each["name"] for each in walk(spec, "configMapRef")} <= set(config)
        assert {each["claimName"] for each in walk(spec, "persistentVolumeClaim")} <= set(claims)
        assert not made or set(secrets(spec)) <= set(made)
        kept = {volume["name"] for volume in spec["volumes"]}
        assert {mount["name"] for each in containers(spec) for mount in each["volumeMounts"]} <= kept


def test_a_secret_from_the_vault_has_every_key_that_a_pod_asks_it_for(things):
    made = {
        name: {each["secretKey"] for each in thing["spec"]["data"]}
        for name, thing in of(things, "ExternalSecret").items()
    }
    asked = {(name, key) for spec in pods(things).values() for name, keys in secrets(spec).items() for key in keys}
    if made:
        optional = set(made) - {name for name, _ in asked}
        assert asked == {(name, key) for name, keys in made.items() for key in keys if name not in optional}
        assert optional <= {"oidc"}


def test_every_selector_takes_some_pod(things):
    found = [labels(thing) for thing in things if thing["kind"] in PODS]
    for thing in things:
        spec = thing.get("spec", {})
        selectors = [spec[name] for name in ("selector", "podSelector") if name in spec]
        if thing["kind"] == "Service":
            selectors = [{"matchLabels": spec["selector"]}]
        for selector in selectors:
            assert any(matches(selector, each) for each in found), thing["metadata"]["name"]
    for thing in of(things, "Deployment").values():
        assert matches(thing["spec"]["selector"], labels(thing))


def test_every_named_port_is_one_that_a_container_has(things):
    ports = {
        port["name"] for spec in pods(things).values() for each in containers(spec) for port in each.get("ports", ())
    }
    asked = {port for port in walk(things, "targetPort") if isinstance(port, str)}
    policies, monitors = of(things, "NetworkPolicy").values(), of(things, "PodMonitor").values()
    asked |= {port for each in policies for port in walk(each, "port") if isinstance(port, str)}
    asked |= {port for each in monitors for port in walk(each, "port")}
    assert asked <= ports
    offered = {(name, port["name"]) for name, each in of(things, "Service").items() for port in each["spec"]["ports"]}
    backends = [each["service"] for each in walk(things, "backend")]
    assert {(each["name"], each["port"]["name"]) for each in backends} <= offered


def test_each_autoscaler_has_one_deployment_that_names_no_number_of_its_own(things):
    scalers = [*of(things, "HorizontalPodAutoscaler").values(), *of(things, "ScaledObject").values()]
    targets = [each["spec"]["scaleTargetRef"]["name"] for each in scalers]
    assert len(targets) == len(set(targets))
    deployments = of(things, "Deployment")
    assert set(targets) <= set(deployments)
    if things is not lying_there():
        assert {name for name, each in deployments.items() if "replicas" not in each["spec"]} == set(targets)


def test_an_autoscaler_asks_a_service_that_is_there_for_the_gateways_figures(things):
    offered = {f"{name}.sera.svc" for name in of(things, "Service")}
    for url in {each for thing in of(things, "ScaledObject").values() for each in walk(thing, "url")}:
        asked = urlsplit(url)
        assert asked.hostname in offered
        assert asked.path in {route.path for route in router.routes}


def test_every_variable_is_a_setting_and_no_secret_stands_in_the_open(things):
    told = {name for each in of(things, "ConfigMap").values() for name in each["data"]}
    told |= {each["name"] for spec in pods(things).values() for box in containers(spec) for each in box.get("env", ())}
    assert {name for name in told if name.startswith("SERA_")} <= set(FIELDS) - SECRET
    asked = {key for spec in pods(things).values() for keys in secrets(spec).values() for key in keys}
    assert asked <= SECRET
    assert not of(things, "Secret")


def test_every_word_that_looks_like_a_setting_is_one():
    written = "".join(path.read_text() for path in FOLDER.rglob("*") if path.is_file())
    assert set(OURS.findall(written)) <= set(FIELDS)
    assert not re.findall(r"://[^\s/@<]+:[^\s/@<]+@", written), "an address with a password"


def test_production_accepts_the_settings(things, monkeypatch):
    for each in of(things, "ConfigMap").values():
        for name, value in each["data"].items():
            monkeypatch.setenv(name, value)
        told = Settings()
        checks = (safety.exposure, safety.default_home, safety.believed_proxies)
        assert [check(told) for check in checks] == [None, None, None]
        assert told.production


def test_each_process_of_the_stack_runs_as_it_does_on_one_machine(things):
    here = {child.name: ["python", *child.command[1:]] for child in SERVICES}
    there = {name: box["command"] for name, spec in pods(things).items() for box in spec["containers"]}
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
        assert {each["image"].rsplit("/", 1)[-1] for each in spec.get("initContainers", ())} <= {f"sera-api:{VERSION}"}


def test_nothing_runs_as_root_or_may_write_beside_its_volumes(things):
    for spec in pods(things).values():
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False, "a Service's variables must not be taken for settings"
        who = spec["securityContext"]
        assert (who["runAsNonRoot"], who["runAsUser"], who["runAsGroup"], who["fsGroup"]) == (True, 10001, 10001, 10001)
        assert who["seccompProfile"] == {"type": "RuntimeDefault"}
        for box in containers(spec):
            may = box["securityContext"]
            assert (may["allowPrivilegeEscalation"], may["readOnlyRootFilesystem"]) == (False, True)
            assert may["capabilities"] == {"drop": ["ALL"]}
            assert {"cpu", "memory"} <= set(box["resources"]["requests"])
            assert "memory" in box["resources"]["limits"]
    assert all(each["automountServiceAccountToken"] is False for each in of(things, "ServiceAccount").values())


def test_probes_ask_what_the_code_answers(things):
    paths = {route.path for route in router.routes}
    for name, spec in pods(things).items():
        (box,) = spec["containers"]
        for probe in (box[each] for each in ("startupProbe", "livenessProbe", "readinessProbe") if each in box):
            if "httpGet" in probe:
                assert probe["httpGet"]["path"] in paths
                continue
            command, told = probe["exec"]["command"], {each["name"]: each.get("value") for each in box["env"]}
            assert command == ["test", "-e", told["SERA_READY_FILE"]] or find_spec(command[2])
        assert ("livenessProbe" in box) == (name in {"api", "worker"})
        assert ("startupProbe" in box) == (name != MIGRATIONS)
    assert {each["httpGet"]["path"] for each in walk(pods(things)["api"], "readinessProbe")} == {"/readyz"}


def test_patience_is_no_shorter_than_the_settings_ask_for(things):
    told, spec = Settings(), pods(things)
    assert spec["worker"]["terminationGracePeriodSeconds"] >= told.stuck_after_s + told.lease_s
    assert spec["trainer"]["terminationGracePeriodSeconds"] >= told.lease_s
    start = spec["worker"]["containers"][0]["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= told.long_task_s
    (alive,) = walk(spec["worker"]["containers"], "livenessProbe")
    assert alive["initialDelaySeconds"] >= told.stuck_after_s


def test_a_pod_reaches_the_engines_whose_addresses_it_has_and_nothing_is_let_in_by_default(things):
    policies = of(things, "NetworkPolicy")
    assert policies["nothing-else"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    found = {thing["metadata"]["name"]: labels(thing) for thing in things if thing["kind"] in PODS}
    for name, spec in pods(things).items():
        taken = [each["spec"] for each in policies.values() if matches(each["spec"]["podSelector"], found[name])]
        reached = {port for each in taken for port in walk(each.get("egress", ()), "port")} - {53}
        known = {key for keys in secrets(spec).values() for key in keys}
        needed = {port for key, port in ENGINES.items() if key in known}
        assert reached == needed | ({443} if "SERA_OIDC_CLIENT_SECRET" in known else set())
        let_in = {port for each in taken for port in walk(each.get("ingress", ()), "port")}
        assert let_in <= ({"http", "metrics"})


def test_what_the_migration_needs_is_applied_first(things):
    first = {(each["kind"], each["metadata"]["name"]) for each in things if "rollout" in each["metadata"]["labels"]}
    spec = pods(things)["migrate"]
    needed = {("Job", "migrate"), ("Namespace", "sera"), ("ServiceAccount", "migrate")}
    needed |= {("ConfigMap", each["name"]) for each in walk(spec, "configMapRef")}
    needed |= {("NetworkPolicy", name) for name in ("nothing-else", "names", "database")}
    assert needed <= first
    assert not {kind for kind, _ in first} & {"Deployment", "ScaledObject", "HorizontalPodAutoscaler", "Ingress"}


def test_settings_of_all_kustomizations_are_settings():
    assert set(settings()) <= set(FIELDS)
