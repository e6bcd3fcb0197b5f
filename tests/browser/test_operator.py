"""From images on a disk to a model that the worker serves, by clicks of an operator."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from shared.domain.roles import Role
from shared.phantoms import draw
from tests.browser.conftest import PHONE
from tests.e2e.stage import QUICK_RECIPE, until

pytestmark = pytest.mark.timeout(300)

SEEDS = range(900, 944)
"""Half of them are for the test set: the gate needs ten of each class."""
SLOW_MS = 60_000
"""The time that a step may take on a machine that is busy with other tests."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Phantoms, one for each patient, and a manifest that names one missing file."""
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["image", "malignant", "patient", "site", "size_mm"])
        for seed in SEEDS:
            phantom = draw(seed, malignant=seed % 2 == 0, size_px=128)
            Image.fromarray(phantom.pixels).save(tmp_path / f"{seed}.png")
            lines.writerow(
                [
                    f"{seed}.png",
                    int(phantom.malignant),
                    f"patient-{seed}",
                    "clinic, east",
                    12.5,
                ]
            )
        lines.writerow(["absent.png", 1, "patient-1", "clinic, east", 9])
    return tmp_path


@pytest.fixture
def quick(own_recipes) -> Iterator[Path]:
    """An operator's own recipe (those that ship take a minute at least) and an invalid one."""
    files = {
        "quick.toml": QUICK_RECIPE,
        "starter.toml": QUICK_RECIPE.replace('"quick"', '"starter"'),
    }
    for name, text in files.items():
        (own_recipes / name).write_text(text)
    yield own_recipes / "quick.toml"
    for name in files:
        (own_recipes / name).unlink(missing_ok=True)


def test_an_operator_promotes_a_model_that_learned_from_images_brought_here(
    open_page, assert_accessible, assert_fits, screenshot, folder, quick, stage
):
    page = open_page(Role.OPERATOR, path="/console/datasets")
    make(page, assert_accessible)
    upload(page, folder, screenshot)
    split_and_freeze(page, assert_accessible, screenshot)
    begin_and_cancel(page, assert_accessible, screenshot)
    begin(page, screenshot)
    quick.unlink()  # the run keeps the recipe as it was
    watch(page, assert_accessible, screenshot)
    second_page = open_page(Role.OPERATOR)
    digest = promote(page, second_page, assert_accessible, screenshot)
    assert until(stage.live).startswith(digest)
    on_a_phone(page, assert_accessible, assert_fits, screenshot)


def test_lines_of_a_divided_batch_are_those_of_the_manifest(
    open_page, assert_accessible, folder
):
    labels = ["malignant" if seed % 2 == 0 else "benign" for seed in SEEDS[:5]]

    def refuse_more_than_two_files(route: Route) -> None:
        if (route.request.post_data_buffer or b"").count(b'name="files"') > 2:
            route.fulfill(status=413, json={"code": "too-large", "detail": "Large."})
        else:
            route.continue_()

    page = open_page(Role.OPERATOR, path="/console/datasets")
    make(page, assert_accessible, name="divided")
    page.route("**/batches?dry_run=true", refuse_more_than_two_files)
    page.wait_for_load_state()  # its script has run
    few = [folder / "manifest.csv", *(folder / f"{seed}.png" for seed in SEEDS[:5])]
    page.get_by_label("Images, masks and manifest.csv").set_input_files(few)
    page.get_by_role("button", name="Preview", exact=True).click()
    pictures = page.get_by_role("group", name="The first images")
    expect(pictures.locator("figcaption")).to_have_text(
        [f"Line {line}: {label}" for line, label in enumerate(labels, start=2)],
        timeout=SLOW_MS,
        ignore_case=True,
    )
    names = [image.get_attribute("alt") for image in pictures.get_by_role("img").all()]
    assert names == [f"{seed}.png" for seed in SEEDS[:5]]
    expect(page.locator("#refusals tbody tr")).to_have_text(
        re.compile(r"^7–46 \(40 rows\)")
    )


def make(page: Page, assert_accessible, name: str = "journey") -> None:
    assert_accessible(page)
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Synthetic phantoms").check()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def upload(page: Page, folder: Path, screenshot) -> None:
    """Half of it first, as if the line had broken: the second time only the other half is sent."""
    page.wait_for_load_state()  # its script has run
    half = [folder / "manifest.csv", *(folder / f"{seed}.png" for seed in SEEDS[:22])]
    page.get_by_label("Images, masks and manifest.csv").set_input_files(half)
    preview(page)
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("#upload-status")).to_have_text(
        "22 images added, 0 already present, 23 refused.", timeout=SLOW_MS
    )
    page.get_by_label("Images, masks and manifest.csv").set_input_files(
        sorted(folder.glob("*.*"))
    )
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("#upload-status")).to_have_text(
        "22 images added, 22 already present, 1 refused.", timeout=SLOW_MS
    )
    expect(page.locator("#refusals tbody tr")).to_have_text(
        re.compile("^46absent.png.*No file named")
    )
    expect(page.get_by_role("row", name="clinic, east")).to_contain_text("44")
    screenshot(page, "dataset", full=True)
    page.get_by_label("The image's file").set_input_files(folder / f"{SEEDS[0]}.png")
    expect(page.locator("#lookup-result")).to_have_text(
        "The draft has this image as follows."
    )
    expect(page.get_by_label("Label", exact=True)).to_have_value("true")


def preview(page: Page) -> None:
    page.get_by_role("button", name="Preview", exact=True).click()
    expect(page.locator("#upload-status")).to_have_text(
        "Nothing was stored. An upload would add 22 images; 0 are already present, 23 would be "
        "refused.",
        timeout=SLOW_MS,
    )
    expect(page.locator("#table-facts li")).to_have_text(
        [
            "Read as UTF-8 with commas: 45 rows on 45 lines.",
            "23 malignant, 22 benign, 0 without a label.",
            "45 patients; 0 rows name none.",
            "Sites: clinic, east (45).",
            "Sizes of 45 rows: 9 to 12.5 mm.",
        ]
    )
    expect(page.locator("#refusals tbody tr")).to_have_text(
        re.compile(r"^24–46 \(23 rows\)922.png.*No file named")
    )
    pictures = page.get_by_role("group", name="The first images").get_by_role("img")
    expect(pictures).to_have_count(12)
    assert pictures.first.evaluate("image => image.naturalWidth") == 128
    expect(page.locator("#composition")).to_have_count(0)


def split_and_freeze(page: Page, assert_accessible, screenshot) -> None:
    page.get_by_label("Share of the images").fill("50")
    page.get_by_role("button", name="Split", exact=True).click()
    expect(page.get_by_role("status").first).to_contain_text("for the test")
    page.get_by_role("button", name="Freeze the draft").press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="Freeze the draft").press("Enter")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Version 1")).to_be_visible()
    assert_accessible(page)
    screenshot(page, "dataset-frozen", full=True)


def begin_and_cancel(page: Page, assert_accessible, screenshot) -> None:
    """A recipe that ships, started and followed until it works, then cancelled."""
    page.get_by_role("link", name="Train on it").click()
    expect(page.get_by_text("Phantoms only: a first model")).to_be_visible()
    expect(page.get_by_text(re.compile("Put them into .* on ")).first).to_be_visible(
        timeout=SLOW_MS
    )
    assert_accessible(page)
    screenshot(page, "runs-start", full=True)
    page.get_by_role("radio", name="starter").check()
    page.get_by_role("button", name="Start training").click()
    expect(page.locator("tr[data-step='plan'][data-state='done']")).to_be_visible(
        timeout=SLOW_MS
    )
    expect(page.locator("tr[data-state='running'] code").first).to_contain_text(
        "/", timeout=SLOW_MS
    )
    page.get_by_role("button", name="Cancel the run").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the run").click()
    expect(page.locator("#state")).to_have_text("cancelled")
    expect(page.get_by_role("button", name="Resume the run").first).to_be_visible()


def begin(page: Page, screenshot) -> None:
    page.get_by_role("link", name="Training runs").click()
    expect(page.locator(".refused")).to_contain_text(
        "starter.toml has the name of a recipe that ships"
    )
    page.get_by_role("radio", name="quick").check()
    screenshot(page, "runs-own", full=True)
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("heading", name="Run of quick on journey")).to_be_visible()


def watch(page: Page, assert_accessible, screenshot) -> None:
    expect(page.locator("#curves polyline").first).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("#state")).to_have_text("done", timeout=2 * SLOW_MS)
    expect(
        page.locator("#steps tr[data-step='gate'][data-state='done']")
    ).to_be_visible()
    assert_accessible(page)
    screenshot(page, "run", full=True)


def promote(page: Page, second_page: Page, assert_accessible, screenshot) -> str:
    """Make the model live, and return its digest as the page shows it.

    The gate is against it, and there are two operators: a second one has to agree.
    """
    page.get_by_role("link", name="Open the model").click()
    expect(page.locator("#gate .reasons li").first).to_be_visible()
    page.wait_for_load_state()  # its styles count
    expect(page.locator("#evaluation svg")).to_have_count(2)
    assert_accessible(page)
    screenshot(page, "model", full=True)
    digest = page.locator("code").first.text_content() or ""
    make_live(page)
    expect(page.get_by_text("another operator").first).to_be_visible()
    second_page.goto(page.url)
    expect(second_page.locator("#proposals li")).to_have_count(1)
    assert_accessible(second_page)
    make_live(second_page)
    expect(second_page.locator("#is-live")).to_be_visible()
    page.reload()
    expect(page.locator("#is-live")).to_be_visible()
    expect(page.locator("#workers li.serves")).to_be_visible(timeout=SLOW_MS)
    return digest


def make_live(page: Page) -> None:
    page.get_by_role("button", name="Make live").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("a journey through the pages, on phantoms")
    dialog.get_by_role("button", name="Make live").click()


def on_a_phone(page: Page, assert_accessible, assert_fits, screenshot) -> None:
    """What the journey left behind, as one sees it in the corridor."""
    page.set_viewport_size(PHONE)
    for name in ("model", "run", "dataset"):
        if name != "model":
            page.get_by_role(
                "link", name={"run": "its training run", "dataset": "journey"}[name]
            ).first.click()
        page.wait_for_load_state()
        assert_fits(page)
        assert_accessible(page)
        screenshot(page, f"{name}-phone", full=True)
