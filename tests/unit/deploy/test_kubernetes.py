"""`deploy/kubernetes`: files, and what each overlay makes of them, against Kubernetes' schemas and
our settings.
"""

import json
import re
from functools import cache
from typing import get_args
from urllib.parse import urlsplit

import kubernetes_validate
from pydantic import SecretStr

from services.api.monitoring.router import router
from shared.settings import Settings
from tests.support.kubernetes import (
    FOLDER,
    KUSTOMIZATIONS,
    PODS,
    containers,
    documents,
    field,
    labels,
    lying_there,
    matches,
    named_in,
    of,
    pods,
    secrets,
    settings,
    walk,
)

OLDEST = "1.30"
NEWEST = "1.37"
"""A pod's `preStop.sleep` is there by default from 1.30 on; the newest is what the schemas know."""
OTHERS_NEED = {
    "ScaledObject": (
        "keda.sh/v1alpha1",
        ("scaleTargetRef.name", "minReplicaCount", "maxReplicaCount", "triggers"),
    ),
    "ExternalSecret": (
        "external-secrets.io/v1",
        ("secretStoreRef.name", "target.name", "data"),
    ),
    "PodMonitor": (
        "monitoring.coreos.com/v1",
        ("selector.matchLabels", "podMetricsEndpoints"),
    ),
}
"""Kinds of operators, whose schemas no package has: version, and fields below `spec` that they must
have.
"""
OURS = re.compile(r"\bSERA_[A-Z_]+\b")
FIELDS = {
    f"SERA_{name.upper()}": field for name, field in Settings.model_fields.items()
}
SECRET = {
    name for name, field in FIELDS.items() if SecretStr in get_args(field.annotation)
}


def test_every_file_is_named_by_a_kustomization_and_every_named_one_is_there():
    read = {
        path.resolve()
        for kustomization in KUSTOMIZATIONS
        for path in named_in(kustomization)
    }
    files = {path for path in FOLDER.rglob("*") if path.is_file()} - {
        FOLDER / "README.md",
        *KUSTOMIZATIONS,
    }
    folders = {
        path.parent
        for path in KUSTOMIZATIONS
        if path.parent.parent.name == "components"
    }
    assert {path for path in read if path.is_file()} == files
    assert {path for path in read if path.is_dir()} <= {FOLDER / "base", *folders}
    assert all(documents(path) for path in files if path.suffix == ".yaml")


def test_every_object_is_what_kubernetes_knows_and_nothing_more(things):
    version = OLDEST if things is lying_there() else NEWEST
    for thing in things:
        if thing["kind"] not in OTHERS_NEED:
            known_to(version, json.dumps(thing, sort_keys=True))


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
    config = of(things, "ConfigMap")
    accounts = of(things, "ServiceAccount")
    priorities = of(things, "PriorityClass")
    claims = of(things, "PersistentVolumeClaim")
    for name, spec in pods(things).items():
        assert spec["serviceAccountName"] == name
        assert name in accounts
        assert spec.get("priorityClassName", "sera-serving") in priorities
        assert {each["name"] for each in walk(spec, "configMapRef")} <= set(config)
        assert {
            each["claimName"] for each in walk(spec, "persistentVolumeClaim")
        } <= set(claims)
        assert not made or set(secrets(spec)) <= set(made)
        kept = {volume["name"] for volume in spec["volumes"]}
        assert {
            mount["name"] for each in containers(spec) for mount in each["volumeMounts"]
        } <= kept


def test_a_secret_from_the_vault_has_every_key_that_a_pod_asks_it_for(things):
    made = {
        name: {each["secretKey"] for each in thing["spec"]["data"]}
        for name, thing in of(things, "ExternalSecret").items()
    }
    asked = {
        (name, key)
        for spec in pods(things).values()
        for name, keys in secrets(spec).items()
        for key in keys
    }
    if made:
        optional = set(made) - {name for name, _ in asked}
        assert asked == {
            (name, key)
            for name, keys in made.items()
            for key in keys
            if name not in optional
        }
        assert optional <= {"oidc"}


def test_every_selector_takes_some_pod(things):
    found = [labels(thing) for thing in things if thing["kind"] in PODS]
    for thing in things:
        spec = thing.get("spec", {})
        selectors = [spec[name] for name in ("selector", "podSelector") if name in spec]
        if thing["kind"] == "Service":
            selectors = [{"matchLabels": spec["selector"]}]
        for selector in selectors:
            assert any(matches(selector, each) for each in found), thing["metadata"][
                "name"
            ]
    for thing in of(things, "Deployment").values():
        assert matches(thing["spec"]["selector"], labels(thing))


def test_every_named_port_is_one_that_a_container_has(things):
    ports = {
        port["name"]
        for spec in pods(things).values()
        for each in containers(spec)
        for port in each.get("ports", ())
    }
    asked = {port for port in walk(things, "targetPort") if isinstance(port, str)}
    policies = of(things, "NetworkPolicy").values()
    monitors = of(things, "PodMonitor").values()
    asked |= {
        port
        for each in policies
        for port in walk(each, "port")
        if isinstance(port, str)
    }
    asked |= {port for each in monitors for port in walk(each, "port")}
    assert asked <= ports
    offered = {
        (name, port["name"])
        for name, each in of(things, "Service").items()
        for port in each["spec"]["ports"]
    }
    backends = [each["service"] for each in walk(things, "backend")]
    assert {(each["name"], each["port"]["name"]) for each in backends} <= offered


def test_each_autoscaler_has_one_deployment_that_names_no_number_of_its_own(things):
    scalers = [
        *of(things, "HorizontalPodAutoscaler").values(),
        *of(things, "ScaledObject").values(),
    ]
    targets = [each["spec"]["scaleTargetRef"]["name"] for each in scalers]
    assert len(targets) == len(set(targets))
    deployments = of(things, "Deployment")
    assert set(targets) <= set(deployments)
    if things is not lying_there():
        assert {
            name for name, each in deployments.items() if "replicas" not in each["spec"]
        } == set(targets)


def test_an_autoscaler_asks_a_service_that_is_there_for_the_gateways_figures(things):
    offered = {f"{name}.sera.svc" for name in of(things, "Service")}
    for url in {
        each
        for thing in of(things, "ScaledObject").values()
        for each in walk(thing, "url")
    }:
        asked = urlsplit(url)
        assert asked.hostname in offered
        assert asked.path in {route.path for route in router.routes}


def test_every_variable_is_a_setting_and_no_secret_stands_in_the_open(things):
    told = {name for each in of(things, "ConfigMap").values() for name in each["data"]}
    told |= {
        each["name"]
        for spec in pods(things).values()
        for box in containers(spec)
        for each in box.get("env", ())
    }
    assert {name for name in told if name.startswith("SERA_")} <= set(FIELDS) - SECRET
    asked = {
        key
        for spec in pods(things).values()
        for keys in secrets(spec).values()
        for key in keys
    }
    assert asked <= SECRET
    assert not of(things, "Secret")


def test_every_word_that_looks_like_a_setting_is_one():
    written = "".join(path.read_text() for path in FOLDER.rglob("*") if path.is_file())
    assert set(OURS.findall(written)) <= set(FIELDS)
    assert not re.findall(r"://[^\s/@<]+:[^\s/@<]+@", written), (
        "an address with a password"
    )


def test_settings_of_all_kustomizations_are_settings():
    assert set(settings()) <= set(FIELDS)
