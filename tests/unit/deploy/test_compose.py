"""docker-compose.yml and the Dockerfiles name only what is there."""

import ast
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.docker.secrets import (
    METRICS_KEY_FILE,
    METRICS_PART,
    StackSecrets,
    files_by_service,
)
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OWN_IMAGES = (
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
        "services.api.__main__",
        "services.beat.__main__",
        "shared.ledger.__main__",
        "cli.__main__",
        *(
            f"cli.commands.{name}"
            for name in (
                "audit",
                "dataset",
                "doctor",
                "hospital",
                "key",
                "models",
                "person",
                "submit",
                "train",
            )
        ),
    ),
    "worker": (
        "services.worker.__main__",
        "services.worker.shadow",
        "services.worker.liveness_probe",
    ),
    "trainer": ("services.trainer.__main__",),
}
"""What each image is there to run."""
OUR_OWN = ("cli.", "deploy.", "services.", "shared.")


def names(dockerfile: Path) -> list[str]:
    copies = re.findall(
        r"^COPY (?!--from)(.+) \S+$", dockerfile.read_text(), re.MULTILINE
    )
    return [name for line in copies for name in line.split()]


@pytest.mark.parametrize("service", OWN_IMAGES)
def test_every_variable_of_a_service_is_a_setting(service):
    result = {
        name
        for name in SERVICES[service].get("environment", {})
        if name.startswith("SERA_")
    }
    assert (
        result
        <= {f"SERA_{name.upper()}" for name in Settings.model_fields} | OF_COMPOSE
    )


@pytest.mark.parametrize("service", OWN_IMAGES)
def test_our_services_write_nothing_into_their_images_and_gain_no_rights(service):
    result = SERVICES[service]
    assert result["read_only"] is True
    assert result["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in result["security_opt"]
    assert "mem_limit" in result


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_image_is_pinned_and_every_volume_and_network_is_there(service):
    result = SERVICES[service]
    image = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", result["image"])
    assert re.fullmatch(r"\S+:[\w.-]*\d[\w.-]*", image)
    mounts = [
        re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", mount).partition(":")[0]
        for mount in result.get("volumes", [])
    ]
    assert {mount for mount in mounts if not mount.startswith((".", "/"))} <= set(
        COMPOSE["volumes"]
    )
    assert all((ROOT / mount).exists() for mount in mounts if mount.startswith("."))
    assert set(result.get("networks", [])) <= set(COMPOSE["networks"])


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_an_image_is_made_of_files_that_are_there(dockerfile):
    assert all((ROOT / name).exists() for name in names(dockerfile))


@pytest.mark.parametrize(("service", "roots"), ROOTS.items())
def test_an_images_list_has_all_that_its_service_imports(service, roots):
    homes = packages_distributions()
    needed_packages = {
        homes[name][0] for name in packages_imported(roots) if name in homes
    }
    listed = (
        (ROOT / "deploy" / "docker" / "packages" / f"{service}.txt")
        .read_text()
        .splitlines()
    )
    present = {
        canonicalize_name(Requirement(line).name)
        for line in listed
        if line[:1] not in "#-"
    }
    assert {canonicalize_name(name) for name in needed_packages} - present == set()


def packages_imported(roots: Iterable[str]) -> set[str]:
    """Top-level names of what these modules of ours import, and what the modules of ours among it
    import in turn.
    """
    waiting = list(roots)
    names = set()
    packages = set()
    while waiting:
        name = waiting.pop()
        if name in names:
            continue
        names.add(name)
        packages.add(name.partition(".")[0])
        if name.startswith(OUR_OWN) and (path := source(name)):
            waiting += imported(path)
    return packages


def source(module: str) -> Path | None:
    """None where the name is of something within a module."""
    place = ROOT.joinpath(*module.split("."))
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((path for path in files if path.exists()), None)


def imported(path: Path) -> set[str]:
    """All that a module imports, also within its functions; not what it imports for its type
    annotations alone.
    """
    found = set()
    for node in statements(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {
                node.module,
                *(f"{node.module}.{alias.name}" for alias in node.names),
            }
    return found | {package for name in found for package in packages_around(name)}


def packages_around(module: str) -> Iterator[str]:
    """A module's packages, which are imported before it."""
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from statements(node)


def test_the_gateways_list_has_no_framework_of_models():
    listed = (ROOT / "deploy" / "docker" / "packages" / "api.txt").read_text()
    assert not {"torch", "torchvision", "timm", "scikit-learn"} & set(listed.split())


def test_every_part_that_is_drawn_secrets_for_mounts_them_and_no_other_does():
    parts = set(files_by_service(StackSecrets()))
    mounted = {
        mount.partition(":")[0].removeprefix("secrets-")
        for name, service in SERVICES.items()
        for mount in service.get("volumes", [])
        if name != "secrets" and mount.startswith("secrets-")
    }
    assert mounted == parts | {METRICS_PART}


def test_prometheus_reads_each_of_our_processes_with_the_key_that_was_drawn():
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    mounts = SERVICES["prometheus"]["volumes"]
    assert f"secrets-{METRICS_PART}:/run/metrics:ro" in mounts
    files = {
        job["job_name"]: job["authorization"]["credentials_file"]
        for job in config["scrape_configs"]
    }
    assert files.pop("sera-hospitals") == "/run/secrets/sera_metrics_key"
    assert len(files) == 5
    assert set(files.values()) == {f"/run/metrics/{METRICS_KEY_FILE}"}


def test_the_image_has_a_folder_of_its_user_for_each_part_that_secrets_are_drawn_for():
    result = re.search(
        r"for part in ([\w ]+);",
        (ROOT / "deploy" / "docker" / "api.Dockerfile").read_text(),
    )
    parts = {*files_by_service(StackSecrets()), METRICS_PART}
    assert set(result[1].split()) == parts
