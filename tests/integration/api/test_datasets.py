import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.domain.roles import Role
from tests.support.builders import png

JSON = {"Content-Type": "application/json"}


def sha(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def operator(as_role):
    client = as_role(Role.OPERATOR)
    client.post("/v1/datasets", json={"name": "set"})
    return client


@pytest.fixture
def add(operator):
    def upload(seed, name="set", **fields):
        data = {"malignant": str(seed % 2), **fields}
        return operator.post(
            f"/v1/datasets/{name}/images",
            data=data,
            files={"image": ("a.png", png(seed))},
        )

    return upload


def test_the_same_image_under_another_label_is_refused_and_then_corrected(
    operator, add
):
    assert add(1).json()["added"] is True
    refused = add(1, malignant="0")
    assert (refused.status_code, refused.json()["code"]) == (409, "label-differs")
    assert "(malignant)" in refused.json()["detail"]
    address = f"/v1/datasets/set/images/{sha(png(1))}"
    changed = operator.put(
        address, json={"malignant": False, "site": "north", "patient": "P-1"}
    ).json()
    assert (
        changed | {"malignant": False, "site": "north", "patient_known": True}
        == changed
    )
    assert "P-1" not in str(changed)
    assert add(1, malignant="0", patient="P-1", site="north").json()["added"] is False


def test_composition_counts_a_draft_and_its_versions_by_split_site_and_size(
    operator, add
):
    assert operator.get("/v1/datasets/set/composition").json()["all"] is None
    add(1, size_mm="8", site="north", patient="P-1")
    add(2, size_mm="25", site="north", patient="P-1")
    operator.post("/v1/datasets/set/versions")
    add(3)
    composition = operator.get("/v1/datasets/set/composition").json()
    assert composition["all"] == {
        "name": "all",
        "images": 3,
        "malignant": 2,
        "patients": 2,
    }
    assert [(group["name"], group["images"]) for group in composition["sizes"]] == [
        ("under-10", 1),
        ("20-40", 1),
        ("unknown", 1),
    ]
    frozen = operator.get("/v1/datasets/set/composition", params={"version": 1}).json()
    assert [
        (group["name"], group["images"], group["patients"]) for group in frozen["sites"]
    ] == [("north", 2, 1)]
    assert (
        operator.get("/v1/datasets/set/composition", params={"version": 9}).json()[
            "code"
        ]
        == "version-unknown"
    )


def test_an_image_is_removed_once(operator, add):
    add(1)
    address = f"/v1/datasets/set/images/{sha(png(1))}"
    assert operator.delete(address).json()["image_sha256"] == sha(png(1))
    assert operator.delete(address).json()["code"] == "image-unknown"
    assert operator.get("/v1/datasets/set").json()["images"] == 0


def test_an_invalid_correction_is_refused(operator, add):
    add(1)
    nul = {"site": "a\0b"}
    surrogate = {"site": "\ud800"}
    for correction in (
        {},
        {"malignant": None},
        {"split": "mine"},
        {"size_mm": 3},
        nul,
        surrogate,
    ):
        answer = operator.put(
            f"/v1/datasets/set/images/{sha(png(1))}",
            content=json.dumps(correction),
            headers=JSON,
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


def test_an_invalid_hash_is_refused(operator):
    for image in ("x", "A" * 64, "a" * 63):
        assert operator.delete(f"/v1/datasets/set/images/{image}").status_code == 422
        assert operator.post("/v1/datasets/set/known", json=[image]).status_code == 422


def test_text_with_a_nul_character_is_refused(add):
    for field in ("patient", "site", "tirads"):
        assert add(1, **{field: "a\0b"}).json()["code"] == "invalid-request"


def test_a_truncated_image_is_refused(operator):
    half = png(1)[: len(png(1)) // 2]
    answer = operator.post(
        "/v1/datasets/set/images",
        data={"malignant": "1"},
        files={"image": ("a.png", half)},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "image-unreadable")


def test_known_images_are_listed_with_their_labels(operator, add):
    add(1, split="test")
    known_images = operator.post(
        "/v1/datasets/set/known", json=[sha(png(1)), "a" * 64]
    ).json()["known"]
    assert known_images == {
        sha(png(1)): {"malignant": True, "split": "test", "mask_sha256": None}
    }
    assert operator.post("/v1/datasets/set/known", json=[]).json()["known"] == {}
    assert (
        operator.post("/v1/datasets/set/known", json=["a" * 64] * 10_001).status_code
        == 422
    )


def test_datasets_are_listed_and_counted_by_split_and_site(operator, add):
    operator.post("/v1/datasets", json={"name": "another", "synthetic": True})
    add(1, site="north", split="test")
    add(2, site="south")
    add(3, site="south")
    datasets = operator.get("/v1/datasets").json()
    assert [
        (dataset["name"], dataset["images"], dataset["versions"])
        for dataset in datasets
    ] == [
        ("another", 0, 0),
        ("set", 3, 0),
    ]
    shares = [
        tuple(share.values())
        for share in operator.get("/v1/datasets/set").json()["shares"]
    ]
    assert shares == [("train", "south", 2, 1), ("test", "north", 1, 1)]


def test_a_dataset_is_split_frozen_and_compared(operator, add):
    for seed in range(8):
        add(seed, patient=f"p{seed // 2}", site="north" if seed < 4 else "south")
    split = operator.post(
        "/v1/datasets/set/split", json={"by": "site", "sites": ["south"]}
    ).json()
    assert split == {"train": 4, "test": 4, "moved": 4, "fixed": 0, "overruled": 0}
    first, repeat = (operator.post("/v1/datasets/set/versions") for _ in range(2))
    assert (first.status_code, repeat.status_code) == (201, 200)
    assert first.json() == repeat.json() | {"new": True}
    assert (
        first.json() | {"number": 1, "images": 8, "malignant": 4, "test_images": 4}
        == first.json()
    )
    split = operator.post(
        "/v1/datasets/set/split", json={"by": "patient", "test_share": 0.2}
    ).json()
    assert (split["moved"], split["fixed"]) == (0, 8)
    add(8)
    operator.post("/v1/datasets/set/versions")
    assert [
        version["number"]
        for version in operator.get("/v1/datasets/set/versions").json()
    ] == [2, 1]
    difference = operator.get("/v1/datasets/set/versions/2").json()["difference"]
    assert difference == {
        "against": 1,
        "added": 1,
        "removed": 0,
        "relabelled": 0,
        "changed": 0,
    }
    assert operator.get("/v1/datasets/set/versions/1").json()["difference"] is None
    backwards = operator.get("/v1/datasets/set/versions/1?against=2").json()[
        "difference"
    ]
    assert (backwards["added"], backwards["removed"]) == (0, 1)


def test_an_invalid_split_is_refused(operator):
    for split in (
        {"by": "lot"},
        {"by": "site"},
        {"by": "site", "sites": []},
        {"by": "site", "sites": ["a"], "test_share": 0.3},
        {"by": "patient", "sites": ["a"]},
        {"by": "patient", "test_share": 0},
        {"by": "patient", "test_share": 1},
        {"by": "patient", "test_share": "NaN"},
        {"by": "patient", "seed": -1},
        {"by": "site", "sites": ["a\0"]},
    ):
        answer = operator.post("/v1/datasets/set/split", json=split)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


def test_unknown_datasets_versions_and_sites_are_named(operator):
    for name in ("none", "a%00b", "..", "%2e%2e%2fset"):
        assert operator.get(f"/v1/datasets/{name}/versions").status_code == 404
    assert operator.get("/v1/datasets/none").json()["code"] == "dataset-unknown"
    assert (
        operator.get("/v1/datasets/set/versions/1").json()["code"] == "version-unknown"
    )
    assert operator.get(f"/v1/datasets/set/versions/{10**12}").status_code == 422
    assert operator.post("/v1/datasets/set/versions").json()["code"] == "dataset-empty"
    assert (
        operator.post(
            "/v1/datasets/set/split", json={"by": "site", "sites": ["x"]}
        ).json()["code"]
        == "site-unknown"
    )


def test_simultaneous_freezes_create_one_version(operator, add):
    add(1)
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda _: operator.post("/v1/datasets/set/versions"), range(4))
        )
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["version_id"] for answer in answers}) == 1


def test_hospitals_see_no_datasets(north, operator):
    for method, path in (
        ("GET", "/v1/datasets"),
        ("GET", "/v1/datasets/set"),
        ("POST", "/v1/datasets/set/known"),
        ("POST", "/v1/datasets/set/batches"),
        ("POST", "/v1/datasets/set/split"),
        ("POST", "/v1/datasets/set/outcomes"),
        ("POST", "/v1/datasets/set/versions"),
        ("GET", "/v1/datasets/set/versions/1"),
        ("PUT", f"/v1/datasets/set/images/{'a' * 64}"),
        ("DELETE", f"/v1/datasets/set/images/{'a' * 64}"),
    ):
        assert north.request(method, path).status_code == 403
