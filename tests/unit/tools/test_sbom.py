"""The CycloneDX documents; each is validated against the schema when it is made."""

import json

import pytest

from tools.sbom import document, documents, locked_packages


@pytest.fixture(scope="module")
def sboms() -> dict[str, dict]:
    return {name: json.loads(text) for name, text in documents()}


def names(sbom: dict) -> set[str]:
    return {component["name"] for component in sbom["components"]}


def test_there_is_one_for_each_build_and_each_image(sboms: dict[str, dict]) -> None:
    assert set(sboms) == {
        "sera-cpu",
        "sera-cuda",
        "image-api",
        "image-worker-cpu",
        "image-worker-cuda",
        "image-trainer-cpu",
        "image-trainer-cuda",
    }


def test_they_hold_what_the_lock_files_pin_for_this_machine(
    sboms: dict[str, dict],
) -> None:
    for build in ("cpu", "cuda"):
        locked = locked_packages("requirements.lock", f"requirements-{build}.lock")
        expected = {
            (package.name, package.version)
            for package in locked.values()
            if package.is_for_this_python
        }
        components = sboms[f"sera-{build}"]["components"]
        assert {(item["name"], item["version"]) for item in components} == expected


def test_each_component_has_a_licence_an_address_and_the_hashes_of_its_files(
    sboms: dict[str, dict],
) -> None:
    for sbom in sboms.values():
        for component in sbom["components"]:
            assert component["licenses"]
            assert component["purl"].startswith(f"pkg:pypi/{component['name']}@")
            (files,) = component["externalReferences"]
            assert {item["alg"] for item in files["hashes"]} == {"SHA-256"}


def test_an_image_has_what_its_list_pulls_in_and_no_more(
    sboms: dict[str, dict],
) -> None:
    api = names(sboms["image-api"])
    assert {"fastapi", "starlette", "koreanize-matplotlib"} <= api
    assert not {"torch", "scikit-learn", "matplotlib"} & api
    worker = names(sboms["image-worker-cpu"])
    assert {"torch", "sympy", "scikit-learn"} <= worker
    assert not {"fastapi", "nvidia-cublas", "triton"} & worker
    assert {"nvidia-cublas", "triton"} <= names(sboms["image-worker-cuda"])


def test_what_needs_what_is_said(sboms: dict[str, dict]) -> None:
    dependencies = {
        item["ref"].partition("==")[0]: item.get("dependsOn", [])
        for item in sboms["sera-cpu"]["dependencies"]
    }
    assert "starlette" in {
        reference.partition("==")[0] for reference in dependencies["fastapi"]
    }


def test_a_document_that_the_schema_refuses_is_not_written() -> None:
    package = locked_packages("requirements.lock")["numpy"]
    wrong = type(package)(
        name=package.name,
        version=package.version,
        requirement=package.requirement,
        hashes=("sha256:short",),
    )
    with pytest.raises(ValueError, match="sera"):
        document("sera", [wrong])
