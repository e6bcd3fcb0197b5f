"""What `deploy/kubernetes` holds: its files as they lie there, and what an
overlay makes of them.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
OVERLAYS = tuple(sorted(path.name for path in (FOLDER / "overlays").iterdir()))
KUSTOMIZATIONS = tuple(sorted(FOLDER.rglob("kustomization.yaml")))
PODS = {"Deployment", "Job"}
EVERYTHING = """
resources: [{base}]
components:
{components}
configMapGenerator:
  - {{name: settings, namespace: sera, behavior: merge, envs: [settings.env]}}
"""
RENDERERS = (("kubectl", "kustomize"), ("kustomize", "build"))
Object = dict[str, Any]


def renderer() -> tuple[str, ...] | None:
    """A program that renders Kustomize, where this machine has one."""
    return next((command for command in RENDERERS if shutil.which(command[0])), None)


@cache
def rendered(folder: Path) -> list[Object]:
    """What is applied to a cluster."""
    process = subprocess.run(
        [*renderer(), str(folder)], capture_output=True, text=True, timeout=60
    )
    assert process.returncode == 0, process.stderr
    return list(yaml.load_all(process.stdout, yaml.CSafeLoader))


def everything(folder: Path) -> list[Object]:
    """The base with all components at once, those too that no overlay takes; written into an empty
    folder.
    """
    components = [
        path.parent
        for path in KUSTOMIZATIONS
        if path.parent.parent.name == "components"
    ]
    listed = "".join(f"  - {os.path.relpath(path, folder)}\n" for path in components)
    base = os.path.relpath(FOLDER / "base", folder)
    cpu = (FOLDER / "overlays" / "cpu" / "settings.env").read_text()
    (folder / "settings.env").write_text(cpu)
    (folder / "kustomization.yaml").write_text(
        EVERYTHING.format(base=base, components=listed)
    )
    return rendered(folder)


@cache
def documents(path: Path) -> list[Object]:
    return [item for item in yaml.load_all(path.read_text(), yaml.CSafeLoader) if item]


@cache
def lying_there() -> list[Object]:
    """Every whole object of base and components, as the files have it, and the settings that are
    generated.
    """
    documents_of_all = [
        document for path in _resources() for document in documents(path)
    ]
    return [
        *documents_of_all,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": _first("settings"),
            "data": settings(),
        },
    ]


def settings() -> dict[str, str]:
    """Every variable that a ConfigMap of some kustomization sets; of one that
    several set the last.
    """
    return dict(line.split("=", 1) for path in KUSTOMIZATIONS for line in _lines(path))


def named_in(path: Path) -> Iterator[Path]:
    """Files and folders that a kustomization reads."""
    output = documents(path)[0]
    names = [*output.get("resources", ()), *output.get("components", ())]
    names += [patch["path"] for patch in output.get("patches", ()) if "path" in patch]
    names += [
        name
        for item in output.get("configMapGenerator", ())
        for name in item.get("envs", ())
    ]
    return (path.parent / name for name in names)


def by_name(manifests: list[Object], *kinds: str) -> dict[str, Object]:
    """Objects of these kinds, by name."""
    return {
        item["metadata"]["name"]: item for item in manifests if item["kind"] in kinds
    }


def field(manifest: Object, path: str) -> Any:
    """What stands under dotted names, or None."""
    for name in path.split("."):
        manifest = manifest.get(name, {}) if isinstance(manifest, dict) else {}
    return None if manifest == {} else manifest


def matches(selector: Object, found: dict[str, str]) -> bool:
    """Whether a label selector takes something with these labels."""
    labels_match = selector.get("matchLabels", {}).items() <= found.items()
    rules = [
        (match_expression, found.get(match_expression["key"]))
        for match_expression in selector.get("matchExpressions", ())
    ]
    return labels_match and all(
        (value in expression["values"]) == (expression["operator"] == "In")
        for expression, value in rules
    )


def pod(manifest: Object) -> Object:
    """The pod of a Deployment or Job."""
    return manifest["spec"]["template"]["spec"]


def pods(manifests: list[Object]) -> dict[str, Object]:
    """Every pod by its component."""
    return {
        manifest["metadata"]["name"]: pod(manifest)
        for manifest in manifests
        if manifest["kind"] in PODS
    }


def labels(manifest: Object) -> dict[str, str]:
    """Of the pods that a Deployment or Job makes."""
    return manifest["spec"]["template"]["metadata"]["labels"]


def containers(spec: Object) -> list[Object]:
    return [*spec.get("initContainers", ()), *spec["containers"]]


def secrets(spec: Object) -> dict[str, list[str]]:
    """Keys of Secrets that a pod has as files in /run/secrets, by the Secret's name."""
    sources = [
        source["secret"]
        for volume in spec["volumes"]
        for source in volume.get("projected", {}).get("sources", ())
    ]
    return {
        source["name"]: [item["key"] for item in source["items"]] for source in sources
    }


def walk(manifest: Any, key: str) -> Iterator[Any]:
    """Every value under this key, however deep."""
    if isinstance(manifest, dict):
        yield from (value for name, value in manifest.items() if name == key)
    for item in (
        manifest.values()
        if isinstance(manifest, dict)
        else manifest
        if isinstance(manifest, list)
        else ()
    ):
        yield from walk(item, key)


def _resources() -> list[Path]:
    listed = [
        (path, documents(path)[0].get("resources", ())) for path in KUSTOMIZATIONS
    ]
    return [
        path.parent / name
        for path, names in listed
        for name in names
        if name.endswith(".yaml")
    ]


def _lines(path: Path) -> Iterator[str]:
    for item in documents(path)[0].get("configMapGenerator", ()):
        yield from item.get("literals", ())
        for name in item.get("envs", ()):
            yield from (
                line
                for line in (path.parent / name).read_text().splitlines()
                if line and line[0] != "#"
            )


def _first(name: str) -> Object:
    return {
        "name": name,
        "labels": {"app.kubernetes.io/name": "sera", "rollout": "first"},
    }
