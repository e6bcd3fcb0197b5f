"""Writes what SERA is made of as CycloneDX documents, from the lock files.

    ./sera sbom [FOLDER]

One document for each build that `./sera` installs, and for each image of `deploy/docker`, in each
build of PyTorch. They hold what is installed on Linux with the Python that runs this. Licences are
those in the metadata of the installed packages; those of CUDA are in a table here.
"""

import argparse
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path

from cyclonedx.contrib.hash.factories import HashTypeFactory
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGE_LISTS = ROOT / "deploy" / "docker" / "packages"
BUILDS = ("cpu", "cuda")
WITHOUT_DEPENDENCIES = {"api": {"koreanize-matplotlib"}}
"""Packages that an image has without what they need: a font."""
NOT_IN_METADATA = {
    "axe-playwright-python": "MIT",
    "skops": "MIT",
    "pytest-timeout": "MIT",
    "cuda-bindings": "Apache-2.0",
    "cuda-pathfinder": "Apache-2.0",
    "nvidia-ml-py": "BSD-3-Clause",
    "triton": "MIT",
}
"""Licences that the metadata lack, or whose packages only the CUDA build has."""
CUDA_ONLY = re.compile(r"(?:nvidia|cuda)-.*|triton")
NVIDIA_TERMS = "LicenseRef-NVIDIA-Proprietary"
ENTRY = re.compile(
    r"^(?P<requirement>[^#\s][^\\\n]*)(?P<hashes>(?:\\\n\s+--hash=\S+\s*)+)", re.M
)
HASH = re.compile(r"--hash=(sha256:\w+)")
CPU_INDEX = "https://download.pytorch.org/whl/cpu/torch/"
PYPI = "https://pypi.org/simple/{}/"


@dataclass(frozen=True)
class LockedPackage:
    """An entry of a lock file: a version, and the hash of each of its files."""

    name: str
    version: str
    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def is_for_this_python(self) -> bool:
        marker = self.requirement.marker
        return marker is None or marker.evaluate()


def locked_packages(*locks: str) -> dict[str, LockedPackage]:
    """Return the packages of lock files in the root folder by canonical name."""
    packages = {}
    for lock in locks:
        for match in ENTRY.finditer((ROOT / lock).read_text()):
            requirement = Requirement(match["requirement"].strip())
            (specifier,) = requirement.specifier
            package = LockedPackage(
                name=canonicalize_name(requirement.name),
                version=specifier.version,
                requirement=requirement,
                hashes=tuple(HASH.findall(match["hashes"])),
            )
            packages[package.name] = package
    return packages


def licence(package: str) -> str:
    """Return the licence in the metadata: expression, classifiers, or the first line of the text.

    Raises
    ------
    PackageNotFoundError
        if the package is not installed and has no line in the table.
    """
    if package in NOT_IN_METADATA:
        return NOT_IN_METADATA[package]
    if CUDA_ONLY.fullmatch(package):
        return NVIDIA_TERMS
    fields = metadata(package)
    if "License-Expression" in fields:
        return fields["License-Expression"]
    classifiers = fields.get_all("Classifier", [])
    names = [
        item.rpartition("::")[2].strip()
        for item in classifiers
        if item.startswith("License")
    ]
    if names:
        return "; ".join(names)
    return fields["License"].partition("\n")[0] if "License" in fields else ""


def required_names(package: str, extras: Iterable[str] = ()) -> Iterator[Requirement]:
    """Yield what an installed package needs here; nothing for one that is not installed."""
    try:
        texts = requires(package) or []
    except PackageNotFoundError:
        return
    for text in texts:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(
            marker.evaluate({"extra": extra}) for extra in ("", *extras)
        ):
            yield requirement


def image_packages(image: str, locked: dict[str, LockedPackage]) -> set[str]:
    """Return the names of what an image's package list pulls in."""
    lines = (PACKAGE_LISTS / f"{image}.txt").read_text().splitlines()
    waiting = [Requirement(line) for line in lines if not line.startswith("#")]
    names: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in names and not requirement.extras:
            continue
        names.add(name)
        waiting += required_names(name, requirement.extras)
    if "torch" in names:
        names |= {name for name in locked if CUDA_ONLY.fullmatch(name)}
    return (names | WITHOUT_DEPENDENCIES.get(image, set())) & set(locked)


def component(package: LockedPackage) -> Component:
    is_cpu_build = package.version.endswith("+cpu")
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(CPU_INDEX if is_cpu_build else PYPI.format(package.name)),
        hashes=[HashTypeFactory().from_composite_str(item) for item in package.hashes],
    )
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{package.name}=={package.version}",
        purl=PackageURL(type="pypi", name=package.name, version=package.version),
        licenses=[LicenseFactory().make_from_string(licence(package.name))],
        external_references=[files],
    )


@cache
def validator() -> JsonStrictValidator:
    return JsonStrictValidator(SchemaVersion.V1_6)


def document(name: str, packages: Iterable[LockedPackage]) -> str:
    """Return the CycloneDX document of a set of packages, as JSON.

    Raises
    ------
    ValueError
        if it is not valid by the schema.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    product = Component(
        name=name,
        version=project["version"],
        type=ComponentType.APPLICATION,
        bom_ref=name,
        licenses=[LicenseFactory().make_from_string(project["license"])],
    )
    bom = Bom()
    bom.metadata.component = product
    components = {package.name: component(package) for package in packages}
    bom.components.update(components.values())
    bom.register_dependency(product, components.values())
    for package_name, item in components.items():
        needed = {
            canonicalize_name(requirement.name)
            for requirement in required_names(package_name)
        }
        bom.register_dependency(
            item, [components[other] for other in sorted(needed & components.keys())]
        )
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    error = validator().validate_str(text)
    if error is not None:
        raise ValueError(f"{name}: {error}")
    return text


def documents() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each document."""
    for build in BUILDS:
        locked = locked_packages("requirements.lock", f"requirements-{build}.lock")
        needed = {
            name: package
            for name, package in locked.items()
            if package.is_for_this_python
        }
        yield f"sera-{build}", document(f"sera-{build}", needed.values())
        for image in sorted(path.stem for path in PACKAGE_LISTS.glob("*.txt")):
            names = image_packages(image, needed)
            is_of_this_build = "torch" in names or build == BUILDS[0]
            if is_of_this_build:
                title = f"image-{image}" + (f"-{build}" if "torch" in names else "")
                yield title, document(title, [needed[item] for item in sorted(names)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default="sbom", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents():
        path = folder / f"{name}.cdx.json"
        path.write_text(text + "\n")
        print(path)


if __name__ == "__main__":
    main()
