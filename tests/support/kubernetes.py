"""What `deploy/kubernetes` holds: its files as they lie there, and what an overlay makes of them."""

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
    told = subprocess.run(
        [*renderer(), str(folder)], capture_output=True, text=True, timeout=60
    )
    assert told.returncode == 0, told.stderr
    return list(yaml.load_all(told.stdout, yaml.CSafeLoader))


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
    return [each for each in yaml.load_all(path.read_text(), yaml.CSafeLoader) if each]


@cache
def lying_there() -> list[Object]:
    """Every whole object of base and components, as the files have it, and the settings that are
    generated.
    """
    whole = [each for path in _resources() for each in documents(path)]
    return [
        *whole,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": _first("settings"),
            "data": settings(),
        },
    ]


def settings() -> dict[str, str]:
    """Every variable that a ConfigMap of some kustomization sets; of one that several set the last."""
    return dict(line.split("=", 1) for path in KUSTOMIZATIONS for line in _lines(path))


def named_in(path: Path) -> Iterator[Path]:
    """Files and folders that a kustomization reads."""
    said = documents(path)[0]
    names = [*said.get("resources", ()), *said.get("components", ())]
    names += [patch["path"] for patch in said.get("patches", ()) if "path" in patch]
    names += [
        name
        for each in said.get("configMapGenerator", ())
        for name in each.get("envs", ())
    ]
    return (path.parent / name for name in names)


def of(things: list[Object], *kinds: str) -> dict[str, Object]:
    """Objects of these kinds, by name."""
    return {each["metadata"]["name"]: each for each in things if each["kind"] in kinds}


def field(thing: Object, path: str) -> Any:
    """What stands under dotted names, or None."""
    for name in path.split("."):
        thing = thing.get(name, {}) if isinstance(thing, dict) else {}
    return None if thing == {} else thing


def matches(selector: Object, found: dict[str, str]) -> bool:
    """Whether a label selector takes something with these labels."""
    wanted = selector.get("matchLabels", {}).items() <= found.items()
    rules = [
        (each, found.get(each["key"])) for each in selector.get("matchExpressions", ())
    ]
    return wanted and all(
        (value in each["values"]) == (each["operator"] == "In") for each, value in rules
    )


def pod(thing: Object) -> Object:
    """The pod of a Deployment or Job."""
    return thing["spec"]["template"]["spec"]


def pods(things: list[Object]) -> dict[str, Object]:
    """Every pod by its component."""
    return {
        thing["metadata"]["name"]: pod(thing)
        for thing in things
        if thing["kind"] in PODS
    }


def labels(thing: Object) -> dict[str, str]:
    """Of the pods that a Deployment or Job makes."""
    return thing["spec"]["template"]["metadata"]["labels"]


def containers(spec: Object) -> list[Object]:
    return [*spec.get("initContainers", ()), *spec["containers"]]


def secrets(spec: Object) -> dict[str, list[str]]:
    """Keys of Secrets that a pod has as files in /run/secrets, by the Secret's name."""
    sources = [
        each["secret"]
        for volume in spec["volumes"]
        for each in volume.get("projected", {}).get("sources", ())
    ]
    return {each["name"]: [item["key"] for item in each["items"]] for each in sources}


def walk(thing: Any, key: str) -> Iterator[Any]:
    """Every value under this key, however deep."""
    if isinstance(thing, dict):
        yield from (value for name, value in thing.items() if name == key)
    for each in (
        thing.values()
        if isinstance(thing, dict)
        else thing
        if isinstance(thing, list)
        else ()
    ):
        yield from walk(each, key)


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
    for each in documents(path)[0].get("configMapGenerator", ()):
        yield from each.get("literals", ())
        for name in each.get("envs", ()):
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
