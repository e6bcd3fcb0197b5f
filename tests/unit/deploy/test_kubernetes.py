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
    by_name,
    containers,
    documents,
    field,
    labels,
    lying_there,
    matches,
    named_in,
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
    "TriggerAuthentication": ("keda.sh/v1alpha1", ("secretTargetRef",)),
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
SETTING_NAME = re.compile(r"\bSERA_[A-Z_]+\b")
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


def test_every_object_is_what_kubernetes_knows_and_nothing_more(manifests):
    version = OLDEST if manifests is lying_there() else NEWEST
    own_manifests = [
        json.dumps(manifest, sort_keys=True)
        for manifest in manifests
        if manifest["kind"] not in OTHERS_NEED
    ]
    assert [schema_fault(version, manifest) for manifest in own_manifests] == [
        None for _ in own_manifests
    ]


@cache
def schema_fault(version: str, manifest: str) -> str | None:
    """Return how an object breaks Kubernetes' schema. Cached, since overlays share objects."""
    try:
        kubernetes_validate.validate(json.loads(manifest), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return str(error)
    return None


def test_objects_of_operators_have_what_their_operators_need(manifests):
    for manifest in manifests:
        if manifest["kind"] in OTHERS_NEED:
            version, required_fields = OTHERS_NEED[manifest["kind"]]
            assert manifest["apiVersion"] == version
            assert [
                name
                for name in required_fields
                if field(manifest["spec"], name) is None
            ] == []


def test_no_name_is_given_twice(manifests):
    named = [(item["kind"], item["metadata"]["name"]) for item in manifests]
    assert len(named) == len(set(named))


def test_what_an_object_refers_to_is_there(manifests):
    result = {
        name: kind for kind in ("ExternalSecret",) for name in by_name(manifests, kind)
    }
    config = by_name(manifests, "ConfigMap")
    accounts = by_name(manifests, "ServiceAccount")
    priorities = by_name(manifests, "PriorityClass")
    claims = by_name(manifests, "PersistentVolumeClaim")
    for name, spec in pods(manifests).items():
        assert spec["serviceAccountName"] == name
        assert name in accounts
        assert spec.get("priorityClassName", "sera-serving") in priorities
        assert {item["name"] for item in walk(spec, "configMapRef")} <= set(config)
        assert {
            item["claimName"] for item in walk(spec, "persistentVolumeClaim")
        } <= set(claims)
        assert not result or set(secrets(spec)) <= set(result)
        volumes = {volume["name"] for volume in spec["volumes"]}
        assert {
            mount["name"]
            for container in containers(spec)
            for mount in container["volumeMounts"]
        } <= volumes


def test_a_secret_from_the_vault_has_every_key_that_a_pod_asks_it_for(manifests):
    result = {
        name: {item["secretKey"] for item in manifest["spec"]["data"]}
        for name, manifest in by_name(manifests, "ExternalSecret").items()
    }
    ports_or_keys = {
        (name, key)
        for spec in pods(manifests).values()
        for name, keys in secrets(spec).items()
        for key in keys
    }
    if result:
        optional = set(result) - {name for name, _ in ports_or_keys}
        assert ports_or_keys == {
            (name, key)
            for name, keys in result.items()
            for key in keys
            if name not in optional
        }
        assert optional <= {"oidc"}


def test_whoever_reads_metrics_has_their_key_and_every_pod_knows_it(manifests):
    key = ("metrics", "SERA_METRICS_KEY")
    for spec in pods(manifests).values():
        has_key = key[1] in secrets(spec).get(key[0], ())
        assert has_key is (spec["serviceAccountName"] != "migrate")
    for monitor in by_name(manifests, "PodMonitor").values():
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            credentials = endpoint["authorization"]["credentials"]
            assert (credentials["name"], credentials["key"]) == key
    references = by_name(manifests, "TriggerAuthentication")
    for scaled_object in by_name(manifests, "ScaledObject").values():
        for trigger in scaled_object["spec"]["triggers"]:
            assert trigger["metadata"]["authMode"] == "bearer"
            name = trigger["authenticationRef"]["name"]
            (token,) = references[name]["spec"]["secretTargetRef"]
            assert token["parameter"] == "token"
            assert (token["name"], token["key"]) == key


def test_every_selector_takes_some_pod(manifests):
    found = [labels(manifest) for manifest in manifests if manifest["kind"] in PODS]
    for manifest in manifests:
        spec = manifest.get("spec", {})
        selectors = [spec[name] for name in ("selector", "podSelector") if name in spec]
        if manifest["kind"] == "Service":
            selectors = [{"matchLabels": spec["selector"]}]
        for selector in selectors:
            assert any(matches(selector, item) for item in found), manifest["metadata"][
                "name"
            ]
    for manifest in by_name(manifests, "Deployment").values():
        assert matches(manifest["spec"]["selector"], labels(manifest))


def test_every_named_port_is_one_that_a_container_has(manifests):
    ports = {
        port["name"]
        for spec in pods(manifests).values()
        for container in containers(spec)
        for port in container.get("ports", ())
    }
    ports_or_keys = {
        port for port in walk(manifests, "targetPort") if isinstance(port, str)
    }
    policies = by_name(manifests, "NetworkPolicy").values()
    monitors = by_name(manifests, "PodMonitor").values()
    ports_or_keys |= {
        port
        for policy in policies
        for port in walk(policy, "port")
        if isinstance(port, str)
    }
    ports_or_keys |= {port for monitor in monitors for port in walk(monitor, "port")}
    assert ports_or_keys <= ports
    offered = {
        (name, port["name"])
        for name, workload in by_name(manifests, "Service").items()
        for port in workload["spec"]["ports"]
    }
    backends = [item["service"] for item in walk(manifests, "backend")]
    assert {
        (backend["name"], backend["port"]["name"]) for backend in backends
    } <= offered


def test_each_autoscaler_has_one_deployment_that_names_no_number_of_its_own(manifests):
    scalers = [
        *by_name(manifests, "HorizontalPodAutoscaler").values(),
        *by_name(manifests, "ScaledObject").values(),
    ]
    targets = [scaler["spec"]["scaleTargetRef"]["name"] for scaler in scalers]
    assert len(targets) == len(set(targets))
    deployments = by_name(manifests, "Deployment")
    assert set(targets) <= set(deployments)
    if manifests is not lying_there():
        assert {
            name
            for name, workload in deployments.items()
            if "replicas" not in workload["spec"]
        } == set(targets)


def test_an_autoscaler_asks_a_service_that_is_there_for_the_gateways_figures(manifests):
    offered = {f"{name}.sera.svc" for name in by_name(manifests, "Service")}
    for url in {
        item
        for manifest in by_name(manifests, "ScaledObject").values()
        for item in walk(manifest, "url")
    }:
        ports_or_keys = urlsplit(url)
        assert ports_or_keys.hostname in offered
        assert ports_or_keys.path in {route.path for route in router.routes}


def test_every_variable_is_a_setting_and_no_secret_stands_in_the_open(manifests):
    result = {
        name
        for item in by_name(manifests, "ConfigMap").values()
        for name in item["data"]
    }
    result |= {
        item["name"]
        for spec in pods(manifests).values()
        for box in containers(spec)
        for item in box.get("env", ())
    }
    assert {name for name in result if name.startswith("SERA_")} <= set(FIELDS) - SECRET
    ports_or_keys = {
        key
        for spec in pods(manifests).values()
        for keys in secrets(spec).values()
        for key in keys
    }
    assert ports_or_keys <= SECRET
    assert not by_name(manifests, "Secret")


def test_every_word_that_looks_like_a_setting_is_one():
    written = "".join(path.read_text() for path in FOLDER.rglob("*") if path.is_file())
    assert set(SETTING_NAME.findall(written)) <= set(FIELDS)
    assert not re.findall(r"://[^\s/@<]+:[^\s/@<]+@", written), (
        "an address with a password"
    )


def test_settings_of_all_kustomizations_are_settings():
    assert set(settings()) <= set(FIELDS)
