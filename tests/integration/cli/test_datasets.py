"""`./sera dataset` and `./sera outcome` against a running gateway."""

import csv
import json
import sys
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from cli.app import main
from cli.connection import ApiClient
from cli.work import dataset_import
from deploy.local import EmbeddedEngines
from shared.domain.datasets.manifest import read_manifest
from shared.domain.roles import Role
from shared.ledger import Ledger
from shared.phantoms import draw
from shared.settings import Settings
from tests.support.app import create_app
from tests.support.builders import encode, form, png
from tests.support.command import command_words
from tests.support.http_server import at_an_address

Ran = tuple[int, str, str]
COLUMNS = ("image", "malignant", "mask", "patient", "site", "split")


@pytest.fixture
def url(database_url: str, engines: EmbeddedEngines, tmp_path: Path) -> Iterator[str]:
    """Where a gateway that takes 1 MiB answers."""
    home = tmp_path / "home"
    settings = Settings(
        home=home,
        database_url=database_url,
        broker_url=engines.broker_url,
        max_upload_mib=1,
    )
    with at_an_address(create_app(settings)) as address:
        yield address


@pytest.fixture
def key(ledger: Ledger) -> Callable[..., str]:
    def create_key(role: Role = Role.OPERATOR, hospital: str = "north") -> str:
        with ledger.system_session("test") as session:
            hospital_id = session.hospitals.ensure(hospital)
            return session.api_keys.create_text(role, hospital_id, "test")

    return create_key


@pytest.fixture
def api(url: str, key: Callable[..., str]) -> Iterator[ApiClient]:
    with ApiClient(url, key()) as opened:
        opened.post("/v1/datasets", json={"name": "set"})
        yield opened


@pytest.fixture
def sera(
    url: str, key: Callable[..., str], monkeypatch: pytest.MonkeyPatch, capsys
) -> Callable[..., Ran]:
    """Runs a command with an operator's key, or another role's; exit code, stdout and stderr."""

    def run(*arguments: object, role: Role = Role.OPERATOR) -> Ran:
        monkeypatch.setenv("SERA_URL", url)
        monkeypatch.setenv("SERA_KEY", key(role))
        monkeypatch.setattr(sys, "argv", ["sera", *command_words(*arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        captured = capsys.readouterr()
        return left.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    return path


def write(folder: Path, rows: list[tuple]) -> list:
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return list(read_manifest(folder).rows)


def phantom_masks(folder: Path, count: int) -> list[str]:
    names = [f"{seed}-mask.png" for seed in range(count)]
    for seed, name in enumerate(names):
        (folder / name).write_bytes(encode(draw(seed, size_px=128).mask * 255))
    return names


def phantoms(folder: Path, count: int) -> list:
    """Images with masks, two of each patient."""
    for seed in range(count):
        (folder / f"{seed}.png").write_bytes(png(seed))
    return write(
        folder,
        [
            (f"{n}.png", n % 2, mask, f"P-{n // 2}", "north", "")
            for n, mask in enumerate(phantom_masks(folder, count))
        ],
    )


def test_a_folder_is_imported_and_imported_again_it_is_there(sera, folder):
    phantoms(folder, 6)
    code, stdout, err = sera("dataset", "import", folder, "--name", "set")
    assert (code, err) == (0, "")
    assert stdout.splitlines() == [
        "set: 6 new, 0 already there, 0 refused.",
        "It holds 6 images, 3 malignant.",
    ]
    code, stdout, _ = sera("dataset import --name set --json", folder)
    report = {
        "dataset": "set",
        "added": 0,
        "known": 6,
        "refused": [],
        "warnings": [],
        "images": 6,
        "malignant": 3,
    }
    assert (code, json.loads(stdout)) == (0, report)


def test_what_the_dataset_has_is_not_sent_again(api, folder, ledger):
    rows = phantoms(folder, 4)
    assert [new for _, new in dataset_import.import_rows(api, "set", rows)] == [
        True
    ] * 4
    rows = phantoms(folder, 6)
    found = [dataset_import._hash_row(row) for row in rows]
    sent = dataset_import.Importer(api, "set")._without_known_files(found)
    assert [len(item.files) for item in sent] == [0, 0, 0, 0, 2, 2]
    assert [new for _, new in dataset_import.import_rows(api, "set", rows)] == [
        False
    ] * 4 + [True] * 2


def test_an_import_that_was_broken_off_goes_on_where_it_was(
    api, sera, folder, monkeypatch
):
    monkeypatch.setattr(dataset_import, "BATCH_ROWS", 2)
    rows = phantoms(folder, 20)
    with closing(dataset_import.import_rows(api, "set", rows)) as importer:
        next(importer)
    count_stored = api.get("/v1/datasets/set")["images"]
    assert 2 <= count_stored < 20
    report = json.loads(sera("dataset import --name set --json", folder)[1])
    assert (report["added"], report["known"], report["images"]) == (
        20 - count_stored,
        count_stored,
        20,
    )


def test_refused_rows_are_told_line_by_line_with_exit_code_1(sera, folder):
    phantoms(folder, 3)
    (folder / "text.png").write_text("words " * 50)
    (folder / "half.png").write_bytes(png(9)[:900])
    (folder / "large.png").write_bytes(encode(draw(1).mask * 255))
    rows = {
        ("0.png", 0): "",
        ("0.png", 0, "1-mask.png"): "another mask",
        ("1.png", "perhaps"): "the label 'perhaps' is neither 0 nor 1",
        ("1.png", 1, "large.png"): "256 x 256",
        ("1.png", 1, "gone.gif"): "gone.gif cannot be opened",
        ("1.png", 1, "", "", "a\0b"): "control characters",
        ("text.png", 1): "of a type that SERA does not read",
        ("half.png", 1): "cut short",
        ("gone.png", 1): "gone.png cannot be opened",
        ("a\0.png", 1): "control characters",
        ("", 1): "It names no image",
        ("../folder/2.png", 0): "",
    }
    write(folder, [(*row, *[""] * (len(COLUMNS) - len(row))) for row in rows])
    code, stdout, err = sera("dataset", "import", folder, "--name", "set")
    summary, count_stored, *refused = stdout.splitlines()
    assert (code, err, summary) == (1, "", "set: 2 new, 0 already there, 10 refused.")
    assert count_stored == "It holds 2 images, 0 malignant."
    lines = [
        (number, message) for number, message in enumerate(rows.values(), 2) if message
    ]
    assert [line.split(" (")[0].strip() for line in refused] == [
        f"line {number}" for number, _ in lines
    ]
    assert all(
        message in line for (_, message), line in zip(lines, refused, strict=True)
    ), stdout


def test_the_first_row_of_an_image_counts_whatever_batch_it_is_in(
    api, folder, monkeypatch
):
    monkeypatch.setattr(dataset_import, "BATCH_ROWS", 1)
    for number in range(8):
        (folder / f"{number}.png").write_bytes(png(number % 4))
    masks = phantom_masks(folder, 4)
    rows = write(
        folder,
        [(f"{n}.png", 1, masks[n % 4] if n > 3 else "", *[""] * 3) for n in range(8)],
    )
    outcomes = {
        row.line: outcome
        for row, outcome in dataset_import.import_rows(api, "set", rows)
    }
    assert [outcomes[line] for line in range(2, 6)] == [True] * 4
    assert {outcomes[line].code for line in range(6, 10)} == {"mask-differs"}


def test_one_image_of_two_names_with_both_labels_is_refused_in_both_rows(sera, folder):
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(png(1))
    write(folder, [("a.png", 1, "", "", "", ""), ("b.png", 0, "", "", "", "")])
    for further in ((), ("--dry-run",)):
        arguments = ("--name", "set", "--json", *further)
        code, stdout, _ = sera("dataset", "import", folder, *arguments)
        refused = json.loads(stdout)["refused"]
        assert (code, [row["line"] for row in refused]) == (1, [2, 3])
        for row in refused:
            assert "malignant in line 2 and benign in line 3" in row["message"]


def test_two_imports_of_a_folder_at_once_add_each_image_once(api, folder, monkeypatch):
    monkeypatch.setattr(dataset_import, "BATCH_ROWS", 3)
    rows = phantoms(folder, 12)

    def count_new(_: int) -> int:
        return sum(new for _, new in dataset_import.import_rows(api, "set", rows))

    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(count_new, range(2)))
    assert sum(counts) == 12
    assert api.get("/v1/datasets/set")["images"] == 12


def test_a_batch_over_the_gateways_cap_is_halved_and_only_what_is_too_large_alone_is_refused(
    api, folder
):
    noise = np.random.default_rng(0)
    for number, side in enumerate([300] * 16 + [1300]):
        (folder / f"{number}.png").write_bytes(
            encode(noise.integers(0, 256, (side, side)))
        )
    rows = write(folder, [(f"{n}.png", 1, "", "", "", "") for n in range(17)])
    *small, (row, refusal) = dataset_import.import_rows(api, "set", rows)
    assert [new for _, new in small] == [True] * 16
    assert (row.line, "16.png is larger" in str(refusal)) == (18, True)


def test_a_manifest_without_rows_is_refused_before_anything_is_made(sera, folder):
    write(folder, [])
    code, stdout, err = sera("dataset", "import", folder, "--name", "none")
    assert (
        code,
        stdout,
        err.strip().endswith("it has no rows. [manifest-invalid]"),
    ) == (
        1,
        "",
        True,
    )
    assert json.loads(sera("dataset", "list", "--json")[1]) == []


def test_a_dataset_is_split_frozen_corrected_and_told(sera, folder):
    phantoms(folder, 10)
    sera("dataset", "import", folder, "--name", "set")
    assert "No version yet" in sera("dataset", "versions", "set")[1]
    split = "dataset split set --by patient --test-share 0.4 --json"
    counts = json.loads(sera(split)[1])
    assert (counts["test"], counts["train"]) == (4, 6)
    assert sera("dataset", "freeze", "set")[1].startswith("set version 1 (")
    assert sera("dataset", "freeze", "set")[1].startswith(
        "set is unchanged since version 1 ("
    )
    stdout = sera("dataset split set --by site --sites north")[1]
    assert "10 held by frozen versions (6 of them in the other part)" in stdout
    correct = "dataset correct --benign --site '' set"
    corrected = json.loads(sera(correct, folder / "1.png")[1])
    assert (corrected["malignant"], corrected["site"]) == (False, None)
    removed = json.loads(sera("dataset", "remove", "set", folder / "0.png")[1])
    assert removed["malignant"] is False
    second = json.loads(sera("dataset", "freeze", "set", "--json")[1])
    assert (second["number"], second["images"], second["malignant"]) == (2, 9, 4)
    found = json.loads(sera("dataset", "versions", "set", "--json")[1])
    assert (
        found[0]["difference"] | {"removed": 1, "relabelled": 1}
        == found[0]["difference"]
    )
    assert "1 removed, 1 relabelled" in sera("dataset", "versions", "set")[1]
    assert (
        "9 images, 4 malignant, 2 versions, clinical data, revision"
        in sera("dataset", "show", "set")[1]
    )
    assert "set" in sera("dataset", "list")[1]


def test_what_cannot_be_done_is_said_in_one_sentence(sera, api):
    for *arguments, code in (
        ("show", "none", "dataset-unknown"),
        ("freeze", "set", "dataset-empty"),
        ("split", "set", "--by", "site", "invalid-request"),
        ("split", "set", "--by", "site", "--sites", "x", "site-unknown"),
        ("remove", "set", "gone.png", "image-unnamed"),
        ("correct", "set", "a" * 64, "--benign", "image-unknown"),
        ("take-outcomes", "set", "--hospital", "x", "hospital-unknown"),
        ("take-outcomes", "set", "--since", "soon", "invalid-request"),
    ):
        status, stdout, err = sera("dataset", *arguments)
        assert (status, stdout, err.count("\n")) == (1, "", 1)
        assert err.strip().endswith(f"[{code}]")


def test_an_outcome_is_recorded_and_taken_and_withdrawn(sera, api, url, key):
    with ApiClient(url, key(Role.SUBMITTER)) as hospital:
        case = hospital.post("/v1/cases", **form())["case_id"]
    telling = (
        "outcome",
        case,
        "--source",
        "histology",
        "--patient",
        "17",
        "--on",
        "2026-03-14",
    )
    code, stdout, _ = sera(*telling, "--malignant", "--consent", role=Role.SUBMITTER)
    assert (code, stdout.strip()) == (
        0,
        "Recorded: malignant (histology). The image may be used for training.",
    )
    assert (
        sera("dataset", "take-outcomes", "set")[1].strip()
        == "set: 1 added, 0 corrected, 0 withdrawn, 0 refused."
    )
    sera("dataset", "freeze", "set")
    stdout = sera(*telling, "--benign", "--json", role=Role.SUBMITTER)[1]
    outcome = json.loads(stdout)
    assert (outcome["malignant"], outcome["consent"]) == (False, False)
    stdout = sera("dataset", "take-outcomes", "set")[1]
    assert "1 withdrawn" in stdout
    assert f"{case}: still in version 1, which cannot change" in stdout


def image_count(api: ApiClient) -> int:
    return api.get("/v1/datasets/set")["images"]


def test_a_dry_run_says_what_an_import_would_do_and_does_nothing(sera, api, folder):
    phantoms(folder, 6)
    sera("dataset", "import", folder, "--name", "set")
    revision = api.get("/v1/datasets/set")["revision"]
    rows = [
        ("0.png", 0, "0-mask.png", "P-0", "north", ""),
        ("1.png", 0, "", "P-0", "north", ""),
        ("new.png", "악성", "", "P-9", "Nord", "test"),
        ("copy.png", "0", "", "P-9", "nord", ""),
        ("gone.png", 1, "", "p-9", "NORD", ""),
        *[("2.png", "maybe", "", "", "", "")] * 140,
    ]
    for name in ("new.png", "copy.png"):
        (folder / name).write_bytes(png(20))
    write(folder, rows)
    sheet = folder / "sheet.png"
    arguments = ("--name", "set", "--dry-run", "--thumbnails", sheet)
    code, stdout, err = sera("dataset", "import", folder, *arguments)
    lines = stdout.splitlines()
    assert (code, err) == (1, "")
    assert lines[:8] == [
        "Dry run: nothing was changed. The table was read as UTF-8, comma-separated: "
        "145 rows on 145 lines.",
        "Classes: 2 malignant, 3 benign, 0 without a label.",
        "Patients: 2; 0 rows name none.",
        "Sites: north 2, Nord 3.",
        "Parts: test 1.",
        "Sizes: none given. Masks: 1.",
        "Sites read as one: Nord = NORD = nord.",
        "set would get 0 new images; 1 are already there, 144 would be refused.",
    ]
    starts = (
        "  line 3 (1.png): The dataset has this image with another label",
        "  2 rows, lines 4-5 (new.png, copy.png): The row cannot be used: the same image is malignant "
        "in line 4 and benign in line 5",
        "  line 6 (gone.png): gone.png cannot be opened",
        "  140 rows, lines 7-146 (2.png): The row cannot be used: the label 'maybe'",
    )
    for line, start in zip(lines[8:12], starts, strict=True):
        assert line.startswith(start)
    assert sheet.read_bytes().startswith(b"\x89PNG")
    after = api.get("/v1/datasets/set")
    assert (after["images"], after["revision"]) == (6, revision)


def test_masks_that_mark_nothing_or_several_parts_are_named(sera, folder):
    phantoms(folder, 4)
    for name in ("0-mask.png", "1-mask.png"):
        (folder / name).write_bytes(encode(np.zeros((128, 128))))
    two_parts = np.zeros((128, 128))
    two_parts[20:60, 20:60] = two_parts[80:100, 80:100] = 255
    (folder / "2-mask.png").write_bytes(encode(two_parts))
    dry_run = sera("dataset", "import", folder, "--name", "set", "--dry-run")
    imported = sera("dataset", "import", folder, "--name", "set")
    for code, stdout, _ in (dry_run, imported):
        lines = stdout.splitlines()
        title = lines.index("Check these images and masks:")
        empty, several = lines[title + 1 : title + 3]
        assert code == 0
        start = "  2 rows, lines 2-3 (0.png, 1.png): The mask marks nothing"
        assert empty.startswith(start)
        assert several.startswith("  line 4 (2.png): The mask marks 1 other part")


def test_a_dry_run_needs_no_dataset_and_makes_none(sera, folder):
    phantoms(folder, 4)
    arguments = ("--name", "new-set", "--dry-run", "--json")
    code, stdout, err = sera("dataset", "import", folder, *arguments)
    report = json.loads(stdout)
    assert (code, err) == (0, "")
    assert (report["dry_run"], report["added"], report["refused"]) == (True, 4, [])
    assert (report["table"]["patients"], report["table"]["with_mask"]) == (2, 4)
    assert json.loads(sera("dataset", "list", "--json")[1]) == []
    code, _, err = sera("dataset", "import", folder, "--name", "a b", "--dry-run")
    assert (code, "dataset-name-invalid" in err) == (1, True)


def test_thumbnails_need_a_dry_run(sera, folder):
    phantoms(folder, 1)
    arguments = ("--name", "set", "--thumbnails", folder / "x.png")
    code, _, err = sera("dataset", "import", folder, *arguments)
    assert (code, "thumbnails-without-dry-run" in err) == (1, True)


def test_an_import_says_how_an_unusual_table_was_read(sera, folder):
    (folder / "a.png").write_bytes(png(1))
    table = "sep=;\r\nimage;malignant;patient;비고\r\na.png;악성;홍길동;단단함\r\n"
    (folder / "manifest.csv").write_bytes(table.encode("cp949"))
    code, stdout, _ = sera("dataset", "import", folder, "--name", "set")
    assert (code, stdout.splitlines()) == (
        0,
        [
            "set: 1 new, 0 already there, 0 refused.",
            "It holds 1 image, 1 malignant.",
            "The table was read as CP949 (비고 악성 홍길동), semicolon-separated.",
            "Ignored columns: 비고.",
        ],
    )


def test_no_patient_of_two_spellings_is_on_both_sides_of_a_split(sera, folder, ledger):
    rows = []
    for person in range(12):
        for number, unicode_form in enumerate(("NFC", "NFD")):
            image = f"{2 * person + number}.png"
            (folder / image).write_bytes(png(2 * person + number))
            patient = unicodedata.normalize(unicode_form, f"홍길동 {person}")
            site = "Nord" if number else "nord "
            rows.append((image, person % 2, "", patient, site, ""))
    write(folder, rows)
    assert sera("dataset", "import", folder, "--name", "set")[0] == 0
    assert sera("dataset", "split", "set", "--test-share", "0.5")[0] == 0
    with ledger.system_session("test") as session:
        images = session.datasets.images(session.datasets.find("set").id)
    parts: dict[str, set[str]] = {}
    for image in images:
        parts.setdefault(image.patient, set()).add(image.split)
    assert len(parts) == 12
    assert {len(sides) for sides in parts.values()} == {1}
    assert {image.site for image in images} == {"nord"}
    assert sera("dataset", "freeze", "set")[0] == 0


def test_sites_keep_one_spelling_across_imports_and_corrections(sera, api, folder):
    (folder / "a.png").write_bytes(png(1))
    (folder / "b.png").write_bytes(png(2))
    write(folder, [("a.png", 1, "", "P", "Süd Klinik", "")])
    sera("dataset", "import", folder, "--name", "set")
    write(folder, [("b.png", 1, "", "p", "SÜD KLINIK", "")])
    sera("dataset", "import", folder, "--name", "other")
    sera("dataset", "import", folder, "--name", "set")
    for name in ("set", "other"):
        shares = api.get(f"/v1/datasets/{name}")["shares"]
        assert [share["site"] for share in shares] == ["Süd Klinik"]
    corrected = sera(
        "dataset", "correct", "set", folder / "b.png", "--site", "süd klinik"
    )
    assert json.loads(corrected[1])["site"] == "Süd Klinik"
    assert (
        "2 test"
        in sera("dataset", "split", "set", "--by", "site", "--sites", "SÜD klinik")[1]
    )
