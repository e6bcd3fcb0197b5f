"""docker-compose.yml and the Dockerfiles name only what is there."""

import ast
import re
import subprocess
import sys
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
    "api": "services.api.app, services.api.__main__, services.beat.__main__, shared.ledger.__main__, cli.app, "
    "cli.commands.key, cli.commands.person, cli.commands.hospital, cli.commands.audit, cli.commands.dataset, "
    "cli.commands.submit, cli.commands.train, cli.commands.models, cli.commands.doctor",
    "worker": "services.worker.__main__, services.worker.shadow, services.worker.alive",
    "trainer": "services.trainer.__main__",
}
OUR_OWN = ("cli.", "deploy.", "services.", "shared.")


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
    ours = (
        f"(module.__file__ for name, module in sys.modules.items() if name.startswith({OUR_OWN}))"
    )
    script = f"import {roots}, sys; print(*{ours}, sep='\\n')"
    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    homes = packages_distributions()
    needed = {
        homes[name][0]
        for path in loaded.stdout.split()
        for name in imported(Path(path))
        if name in homes
    }
    listed = (ROOT / "deploy" / "docker" / "packages" / f"{service}.txt").read_text().splitlines()
    there = {canonicalize_name(Requirement(line).name) for line in listed if line[:1] not in "#-"}
    assert {canonicalize_name(name) for name in needed} - there == set()


def imported(path: Path) -> set[str]:
    """Top-level names that a module imports, also within its functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition(".")[0])
    return found


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
