"""docker-compose.yml and the Dockerfiles name only what is there."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.docker.secrets import Drawn, share_out
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = (
    "api",
    "beat",
    "worker",
    "worker-gpu",
    "shadow",
    "trainer",
    "trainer-gpu",
    "migrate",
    "operator",
    "secrets",
)
DOCKERFILES = sorted((ROOT / "deploy" / "docker").glob("*.Dockerfile"))
OF_COMPOSE = {"SERA_TLS", "SERA_MAX_UPLOAD_MIB", "SERA_PUBLIC_HOST"}
"""What the proxy alone is told."""


ROOTS = {
    "api": (
        "services.api.app",
        "services.api.__main__",
        "services.beat.__main__",
        "shared.ledger.__main__",
        "cli.app",
        "cli.commands.key",
        "cli.commands.person",
        "cli.commands.hospital",
        "cli.commands.audit",
        "cli.commands.dataset",
        "cli.commands.submit",
        "cli.commands.train",
        "cli.commands.models",
        "cli.commands.doctor",
    ),
    "worker": ("services.worker.__main__", "services.worker.shadow", "services.worker.alive"),
    "trainer": ("services.trainer.__main__",),
}
OUR_OWN = ("cli", "deploy", "services", "shared")


def names(dockerfile: Path) -> list[str]:
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile.read_text(), re.MULTILINE)
    return [name for line in copies for name in line.split()]


@pytest.mark.parametrize("service", OURS)
def test_every_variable_of_a_service_is_a_setting(service):
    told = {name for name in SERVICES[service].get("environment", {}) if name.startswith("SERA_")}
    assert told <= {f"SERA_{name.upper()}" for name in Settings.model_fields} | OF_COMPOSE


@pytest.mark.parametrize("service", OURS)
def test_our_services_write_nothing_into_their_images_and_gain_no_rights(service):
    told = SERVICES[service]
    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in told["security_opt"]
    assert "mem_limit" in told


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_image_is_pinned_and_every_volume_and_network_is_there(service):
    told = SERVICES[service]
    image = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", told["image"])
    assert re.fullmatch(r"\S+:[\w.-]*\d[\w.-]*", image)
    mounts = [
        re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", mount).partition(":")[0]
        for mount in told.get("volumes", [])
    ]
    assert {mount for mount in mounts if not mount.startswith((".", "/"))} <= set(
        COMPOSE["volumes"]
    )
    assert all((ROOT / mount).exists() for mount in mounts if mount.startswith("."))
    assert set(told.get("networks", [])) <= set(COMPOSE["networks"])


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_an_image_is_made_of_files_that_are_there(dockerfile):
    assert all((ROOT / name).exists() for name in names(dockerfile))


@pytest.mark.parametrize(("service", "roots"), ROOTS.items())
def test_an_images_list_has_all_that_its_service_imports(service, roots):
    homes = packages_distributions()
    needed = {
        homes[name][0]
        for path in loaded(roots)
        for name in top_level(all_imports(path))
        if name in homes
    }
    listed = (ROOT / "deploy" / "docker" / "packages" / f"{service}.txt").read_text().splitlines()
    there = {canonicalize_name(Requirement(line).name) for line in listed if line[:1] not in "#-"}
    assert {canonicalize_name(name) for name in needed} - there == set()


def test_what_an_import_loads_is_found_without_importing_it():
    script = f"import {ROOTS['api'][2]}, sys; print(*(m.__file__ for n, m in sys.modules.items() "
    script += f"if n.partition('.')[0] in {OUR_OWN} and m.__file__), sep='\\n')"
    imported = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {str(path) for path in loaded(ROOTS["api"][2:3])} == set(imported.stdout.split())


def loaded(roots: Iterable[str]) -> set[Path]:
    """Files of our own modules that are executed when these are imported: no import within a function."""
    paths: set[Path] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        path = module_path(name)
        if path is None or path in paths:
            continue
        paths.add(path)
        waiting.append(name.rpartition(".")[0])  # the package is imported before its module
        waiting += executed_imports(parsed(path))
    return paths


def module_path(name: str) -> Path | None:
    """None where it is no module of ours, but a name in one, or of somebody else."""
    if name.partition(".")[0] not in OUR_OWN:
        return None
    base = ROOT / name.replace(".", "/")
    files = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in files if path.exists()), None)


def executed_imports(node: ast.AST) -> list[str]:
    names = []
    for child in ast.iter_child_nodes(node):
        names += imported(child)
        only_named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        only_named |= isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        if not only_named:
            names += executed_imports(child)
    return names


def all_imports(path: Path) -> list[str]:
    """Also those within functions."""
    return [name for node in ast.walk(parsed(path)) for name in imported(node)]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(node: ast.AST) -> list[str]:
    """Modules, and names that may be modules, that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def top_level(names: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def test_the_gateways_list_has_no_framework_of_models():
    listed = (ROOT / "deploy" / "docker" / "packages" / "api.txt").read_text()
    assert not {"torch", "torchvision", "timm", "scikit-learn"} & set(listed.split())


def test_every_part_that_is_drawn_secrets_for_mounts_them_and_no_other_does():
    parts = set(share_out(Drawn()))
    mounted = {
        mount.partition(":")[0].removeprefix("secrets-")
        for name, told in SERVICES.items()
        for mount in told.get("volumes", [])
        if name != "secrets" and mount.startswith("secrets-")
    }
    assert mounted == parts


def test_the_image_has_a_folder_of_its_user_for_each_part_that_secrets_are_drawn_for():
    made = re.search(
        r"for part in ([\w ]+);", (ROOT / "deploy" / "docker" / "api.Dockerfile").read_text()
    )
    assert set(made[1].split()) == set(share_out(Drawn()))
