import base64
import hashlib
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sqlalchemy import text

from services.api.datasets.batch import (
    MAX_THUMBNAILS,
    STORE_THREADS,
    thumbnail_base64,
)
from services.api.middleware.idempotency import REPLAYED_HEADER
from services.api.table_uploads import MAX_TABLE_ROWS
from shared.domain.roles import Role
from shared.phantoms import draw
from tests.support.builders import dicom_file, encode, png

HEAD = "image,malignant,mask,patient,site,split\n"


def sha(data):
    return hashlib.sha256(data).hexdigest()


def mask(seed, size=128):
    return encode(draw(seed, size_px=size).mask * 255)


@pytest.fixture
def operator(as_role):
    client = as_role(Role.OPERATOR)
    client.post("/v1/datasets", json={"name": "set"})
    return client


@pytest.fixture
def send(operator):
    """Uploads a batch: lines of the manifest, and files by name."""

    def upload(lines, files, name="set"):
        parts = [("files", (file, data, "image/png")) for file, data in files.items()]
        manifest = (
            lines
            if isinstance(lines, bytes)
            else (HEAD + "".join(f"{line}\n" for line in lines)).encode()
        )
        parts.append(("manifest", ("manifest.csv", manifest, "text/csv")))
        return operator.post(f"/v1/datasets/{name}/batches", files=parts)

    return upload


def codes(answer):
    return [row["code"] or row["outcome"] for row in answer.json()["rows"]]


def test_what_is_remarkable_about_image_and_mask_is_a_warning(send):
    loop = dicom_file(np.stack([draw(1, size_px=128).pixels] * 3), NumberOfFrames=3)
    files = {"a.dcm": loop, "empty.png": encode(np.zeros((128, 128)))}
    report = send(["a.dcm,1,empty.png,P-1,,"], files).json()
    [row] = report["rows"]
    found = {warning["code"]: warning["facts"] for warning in row["warnings"]}
    assert (report["added"], found["mask-empty"]) == (1, {})
    assert found["frame-guessed"] == {"frames": 3, "frame": 2}


def test_an_roi_is_stored_and_a_bad_one_is_refused(send, ledger):
    cells = {
        "a.png": '"{""box"": [10, 20, 40, 30]}"',
        "b.png": '"{""box"": [100, 20, 40, 30]}"',
        "c.png": "left",
    }
    lines = "".join(f"{name},1,{cell}\n" for name, cell in cells.items())
    files = {name: png(seed) for seed, name in enumerate(cells, start=1)}
    answer = send(f"image,malignant,roi\n{lines}".encode(), files)
    assert codes(answer) == ["added", "roi-outside-image", "roi-invalid"]
    with ledger.system_session("test") as session:
        [image] = session.datasets.images(session.datasets.find("set").id)
    assert image.roi == {"box": [10, 20, 40, 30]}


def test_a_batch_is_added_and_a_repeat_is_known(send, operator, gateway, ledger):
    files = {"a.png": png(1), "a-mask.png": mask(1), "b.png": png(2)}
    lines = ["a.png,1,a-mask.png,P-1,north,test", "b.png,no,,P-2,north,"]
    first = send(lines, files)
    repeat = send(lines, files)
    assert first.json() | {"added": 2, "known": 0, "refused": 0} == first.json()
    assert repeat.json() | {"added": 0, "known": 2, "refused": 0} == repeat.json()
    assert first.json()["rows"][0] == {
        "line": 2,
        "image": "a.png",
        "outcome": "added",
        "image_sha256": sha(png(1)),
        "code": None,
        "message": None,
        "facts": None,
        "warnings": [],
    }
    with ledger.system_session("test") as session:
        images = {
            image.image_sha256: image
            for image in session.datasets.images(session.datasets.find("set").id)
        }
    stored_image = images[sha(png(1))]
    assert (stored_image.mask_sha256, stored_image.split, stored_image.site) == (
        sha(mask(1)),
        "test",
        "north",
    )
    assert gateway.app.state.dependencies.objects.get(stored_image.mask_sha256) == mask(
        1
    )


def test_the_manifest_may_be_a_text_field(operator):
    files = [("files", ("a.png", png(1), "image/png"))]
    data = {"manifest": "\ufeffimage,malignant\r\na.png,1\r\n"}
    assert (
        operator.post("/v1/datasets/set/batches", data=data, files=files).json()[
            "added"
        ]
        == 1
    )


def test_one_bad_row_never_refuses_the_others(send, operator):
    files = {
        "good.png": png(1),
        "other.png": png(2),
        "half.png": png(3)[:900],
        "text.png": b"words " * 99,
        "empty.png": b"",
        "large.png": mask(2, 256),
        "small.png": encode(np.zeros((4, 4))),
    }
    lines = {
        "good.png,1,,,,": "added",
        "half.png,1,,,,": "image-unreadable",
        "text.png,1,,,,": "image-unsupported",
        "empty.png,1,,,,": "image-empty",
        "small.png,1,,,,": "image-too-small",
        "gone.png,1,,,,": "file-missing",
        ",1,,,,": "row-unnamed",
        "other.png,1,large.png,,,": "mask-mismatch",
        "other.png,1,gone.png,,,": "file-missing",
        "other.png,1,text.png,,,": "image-unreadable",
        "other.png,perhaps,,,,": "row-invalid",
        "other.png,,,,,": "row-invalid",
        "other.png,1,,,,mine": "row-invalid",
        "other.png,1,,,a\0b,": "row-invalid",
        "good.png,true,,,,": "known",
        "good.png,1,,P-9,,": "patient-differs",
        "other.png,0,,,,": "added",
    }
    answer = send(list(lines), files)
    assert codes(answer) == list(lines.values())
    assert [row["line"] for row in answer.json()["rows"]] == list(
        range(2, len(lines) + 2)
    )
    refused = [row for row in answer.json()["rows"] if row["outcome"] == "refused"]
    assert all(row["message"].endswith((".", ")")) for row in refused)
    assert (
        answer.json()["refused"],
        operator.get("/v1/datasets/set").json()["images"],
    ) == (
        len(refused),
        2,
    )


def test_an_image_with_both_labels_is_refused_in_both_rows_or_if_the_dataset_has_it(
    send,
):
    files = {"a.png": png(1), "b.png": png(2)}
    answer = send(["a.png,1,,,,", "b.png,1,,,,", "a.png,0,,,,"], files)
    assert codes(answer) == ["row-invalid", "added", "row-invalid"]
    assert codes(send(["b.png,0,,,,"], files)) == ["label-differs"]


def test_a_name_is_only_a_name_and_never_a_path(send, settings):
    for name in (
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        "a/../b.png",
        "a\\b.png",
        "C:b.png",
    ):
        assert codes(send([f"{name},1,,,,"], {})) == ["file-missing"]
        assert codes(send([f"{name},1,,,,"], {name: png(1)})) in (
            ["added"],
            ["known"],
            ["file-missing"],
        )
    assert not list(settings.home.glob("**/passwd"))


def test_a_file_name_with_a_nul_character_is_refused(send):
    answer = send(["a\0.png,1,,,,", "b.png,1,,,,"], {"b.png": png(1)})
    assert (answer.status_code, codes(answer)) == (200, ["row-invalid", "added"])


def test_a_hash_identifies_images_of_the_dataset_and_imports_no_other_object(
    send, gateway
):
    send(["a.png,1,m.png,P-1,,"], {"a.png": png(1), "m.png": mask(1)})
    stored = gateway.app.state.dependencies.objects.put(png(2)).sha256
    lines = [
        f"{sha(png(1))},1,{sha(mask(1))},P-1,,",
        f"{sha(png(1))},0,,,,",
        f"{sha(png(1))},1,{sha(mask(2))},,,",
        f"{sha(png(1))},1,{sha(mask(1))},P-2,,",
        f"{stored},1,,,,",
    ]
    assert codes(send(lines, {})) == [
        "known",
        "label-differs",
        "mask-differs",
        "patient-differs",
        "image-unknown",
    ]


def test_an_invalid_manifest_refuses_the_complete_batch(send):
    for manifest, sentence in (
        (b"", "lacks image, malignant"),
        (b"a.png,1\n", "lacks image, malignant"),
        (b"image,malignant\n", "no rows"),
        (b"image,malignant\nkr\xf6pfchen.png,1\n", "UTF-8"),
        (b"image,malignant\n" + b"x" * 200_000 + b",1\n", "CSV"),
    ):
        answer = send(manifest, {"a.png": png(1)})
        assert (answer.status_code, answer.json()["code"]) == (422, "manifest-invalid")
        assert sentence in answer.json()["detail"]


def test_a_batch_with_too_many_rows_or_duplicate_names_is_refused_completely(
    send, operator
):
    assert send(["a.png,1,,,,"] * 2001, {}).json()["code"] == "batch-too-long"
    parts = [("files", ("a.png", png(seed), "image/png")) for seed in (1, 2)]
    parts.append(("manifest", ("m.csv", b"image,malignant\na.png,1\n", "text/csv")))
    assert (
        operator.post("/v1/datasets/set/batches", files=parts).json()["code"]
        == "files-ambiguous"
    )


def test_a_batch_without_a_manifest_or_a_dataset_is_refused(operator, send):
    assert (
        "manifest"
        in operator.post("/v1/datasets/set/batches", files={"files": png(1)}).json()[
            "detail"
        ]
    )
    assert (
        send(["a.png,1,,,,"], {"a.png": png(1)}, name="none").json()["code"]
        == "dataset-unknown"
    )


def test_a_batch_over_the_size_limit_is_refused_with_the_advice_to_divide_it(send):
    answer = send(["a.png,1,,,,"], {"a.png": bytes(2 << 20)})
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert "smaller batches" in answer.json()["detail"]


def test_the_same_batch_sent_simultaneously_is_added_once(send, operator):
    files = {f"{seed}.png": png(seed) for seed in range(6)}
    with ThreadPoolExecutor(3) as pool:
        answers = list(
            pool.map(
                lambda _: send([f"{name},1,,,," for name in files], files).json(),
                range(3),
            )
        )
    assert sorted(answer["added"] for answer in answers) == [0, 0, 6]
    assert all(answer["refused"] == 0 for answer in answers)


def test_a_dry_run_answers_like_a_batch_and_stores_nothing(
    send, operator, gateway, ledger
):
    send(["a.png,1,,P-1,north,"], {"a.png": png(1)})
    before = operator.get("/v1/datasets/set").json()
    files = {"a.png": png(1), "b.png": png(2), "half.png": png(3)[:900]}
    lines = ["a.png,0,,,,", "b.png,1,,,,", "half.png,1,,,,", "b.png,x,,,,"]
    parts = [("files", (name, data, "image/png")) for name, data in files.items()]
    table = HEAD + "".join(f"{line}\n" for line in lines)
    parts.append(("manifest", ("manifest.csv", table.encode(), "text/csv")))
    path = "/v1/datasets/set/batches?dry_run=true"
    answer = operator.post(path, files=parts, headers={"Idempotency-Key": "one"})
    assert answer.status_code == 200
    assert codes(answer) == [
        "label-differs",
        "added",
        "image-unreadable",
        "row-invalid",
    ]
    thumbnails = answer.json()["thumbnails"]
    assert [item["image"] for item in thumbnails] == ["a.png", "b.png"]
    assert base64.b64decode(thumbnails[0]["base64"]).startswith(b"\x89PNG")
    assert operator.get("/v1/datasets/set").json() == before
    objects = gateway.app.state.dependencies.objects
    assert not objects.exists(sha(png(2)))
    again = operator.post(path, files=parts, headers={"Idempotency-Key": "one"})
    assert (again.status_code, REPLAYED_HEADER in again.headers) == (200, False)
    with ledger.engine.connect() as connection:
        receipts = connection.execute(text("SELECT count(*) FROM receipts")).scalar()
    assert receipts == 0
    assert "thumbnails" not in send(["b.png,1,,,,"], {"b.png": png(2)}).json()
    assert objects.exists(sha(png(2)))


def test_a_dry_run_has_thumbnails_of_the_first_twelve_images_that_can_be_read(
    operator, monkeypatch
):
    encoded = []

    def thumbnail(pixels):
        encoded.append(pixels.shape)
        return thumbnail_base64(pixels)

    monkeypatch.setattr("services.api.datasets.batch.thumbnail_base64", thumbnail)
    lines = ["a.png,perhaps", *["a.png,1"] * 60]
    table = "image,malignant\n" + "".join(f"{line}\n" for line in lines)
    parts = [
        ("files", ("a.png", png(1), "image/png")),
        ("manifest", ("manifest.csv", table.encode(), "text/csv")),
    ]
    answer = operator.post("/v1/datasets/set/batches?dry_run=1", files=parts)
    thumbnails = answer.json()["thumbnails"]
    assert [item["line"] for item in thumbnails] == list(range(3, 15))
    assert len(encoded) <= MAX_THUMBNAILS + STORE_THREADS


def test_a_dry_run_needs_no_dataset(operator):
    parts = [
        ("files", ("a.png", png(1), "image/png")),
        ("manifest", ("manifest.csv", b"image,malignant\na.png,1\n", "text/csv")),
    ]
    answer = operator.post("/v1/datasets/none/batches?dry_run=true", files=parts)
    assert codes(answer) == ["added"]
    created = operator.post("/v1/datasets?dry_run=true", json={"name": "none"})
    assert (created.status_code, created.json()["name"]) == (201, "none")
    names = [dataset["name"] for dataset in operator.get("/v1/datasets").json()]
    assert names == ["set"]


def test_a_manifest_is_read_and_nothing_is_stored(operator):
    table = (
        "sep=;\r\nimage;malignant;patient;site;size_mm;margin\r\n"
        "a.png;악성;P1;Nord;12.5;x\r\nb.png;양성;p1;nord;;\r\nc.png;0;P2;;1,5;\r\nd.png;0\r\n"
    )
    parts = {"manifest": ("table.csv", table.encode("cp949"), "text/csv")}
    answer = operator.post("/v1/manifests", files=parts).json()
    refused = answer.pop("refused")
    assert answer == {
        "encoding": "CP949",
        "sample": "악성 양성",
        "delimiter": ";",
        "lines": 4,
        "ignored_columns": ["margin"],
        "malignant": 1,
        "benign": 1,
        "without_label": 0,
        "with_mask": 0,
        "patients": 1,
        "without_patient": 0,
        "sites": {"Nord": 2},
        "joined_sites": {"Nord": ["nord"]},
        "splits": {},
        "with_size": 1,
        "sizes": {"smallest_mm": 12.5, "largest_mm": 12.5},
        "rows": [
            {
                "line": 3,
                "image": "a.png",
                "mask": None,
                "malignant": True,
                "fields": {"patient": "P1", "site": "Nord", "size_mm": "12.5"},
            },
            {
                "line": 4,
                "image": "b.png",
                "mask": None,
                "malignant": False,
                "fields": {"patient": "P1", "site": "Nord"},
            },
        ],
    }
    assert [(row["line"], row["code"]) for row in refused] == [
        (5, "row-invalid"),
        (6, "row-invalid"),
    ]
    broken = {"manifest": ("table.csv", b"image,malignent\n", "text/csv")}
    answer = operator.post("/v1/manifests", files=broken)
    assert (answer.status_code, answer.json()["code"]) == (422, "manifest-invalid")


def test_a_manifest_is_read_for_operators_only(as_role):
    parts = {"manifest": ("table.csv", b"image,malignant\na.png,1\n", "text/csv")}
    answer = as_role(Role.SUBMITTER).post("/v1/manifests", files=parts)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


TOO_LONG = b"1,2\n" * (MAX_TABLE_ROWS + 1)
TOO_LARGE = b"1,2\n" + b" " * 2**20


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (TOO_LONG, {"en": "more than 20000 rows", "ko": "20000행을 넘습니다"}),
        (TOO_LARGE, {"en": "larger than 1 MiB", "ko": "1 MiB를 넘습니다"}),
    ],
)
def test_a_table_above_the_limits_is_refused(as_role, monkeypatch, rows, words):
    monkeypatch.setattr("services.api.table_uploads.MAX_TABLE_BYTES", 2**20)
    operator = as_role(Role.OPERATOR)
    submitter = as_role(Role.SUBMITTER)
    manifest = {"manifest": ("m.csv", b"image,malignant\n" + rows, "text/csv")}
    table = {"table": ("t.csv", b"file,size_mm\n" + rows, "text/csv")}
    for language, sentence in words.items():
        headers = {"Accept-Language": language}
        answers = [
            operator.post("/v1/manifests", files=manifest, headers=headers),
            operator.post("/v1/datasets/a/batches", files=manifest, headers=headers),
            submitter.post("/v1/case-tables", files=table, headers=headers),
        ]
        assert [answer.json()["code"] for answer in answers] == [
            "manifest-invalid",
            "manifest-invalid",
            "table-invalid",
        ]
        assert all(answer.status_code == 422 for answer in answers)
        assert all(sentence in answer.json()["detail"] for answer in answers)


def test_a_table_of_cases_is_read_for_submitters(as_role):
    table = "file;size_mm;소견\r\n결절.png;1,4 cm;x\r\nb.png;9\r\n"
    parts = {"table": ("table.csv", table.encode("cp949"), "text/csv")}
    answer = as_role(Role.SUBMITTER).post("/v1/case-tables", files=parts).json()
    refused = answer.pop("refused")
    assert answer == {
        "encoding": "CP949",
        "sample": "소견 결절",
        "delimiter": ";",
        "ignored_columns": ["소견"],
        "rows": [{"line": 2, "cells": {"file": "결절.png", "size_mm": "1,4 cm"}}],
    }
    assert [(row["line"], row["code"]) for row in refused] == [(3, "row-invalid")]
    for role in (Role.READER, Role.OPERATOR):
        denied = as_role(role).post("/v1/case-tables", files=parts)
        assert (denied.status_code, denied.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (b"file,size_cm\na.png,1.2\n", "Convert its values to mm"),
        (b"size_mm\n12\n", "lacks file"),
        (b"file\n\xff\xff\xff\n", "neither UTF-8"),
    ],
)
def test_a_table_of_cases_that_cannot_be_trusted_is_refused(as_role, table, words):
    parts = {"table": ("table.csv", table, "text/csv")}
    answer = as_role(Role.SUBMITTER).post("/v1/case-tables", files=parts)
    assert (answer.status_code, answer.json()["code"]) == (422, "table-invalid")
    assert words in answer.json()["detail"]


def test_a_korean_reader_is_told_in_korean(operator):
    parts = {"manifest": ("table.csv", b"image,malignant\na,1,2\n", "text/csv")}
    answer = operator.post(
        "/v1/manifests", files=parts, headers={"Accept-Language": "ko"}
    )
    assert "칸이 밀렸을" in answer.json()["refused"][0]["message"]


def test_a_file_is_found_by_its_name_in_either_unicode_form(send):
    composed = unicodedata.normalize("NFC", "결절.png")
    decomposed = unicodedata.normalize("NFD", composed)
    assert codes(send([f"{composed},1,,,,"], {decomposed: png(1)})) == ["added"]
    assert codes(send([f"{decomposed},1,,,,"], {composed: png(2)})) == ["added"]
