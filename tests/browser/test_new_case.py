import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from services.api.web.navigation import ENTRIES
from shared.domain.roles import PERMISSIONS, Role
from shared.guidelines import (
    Composition,
    Descriptors,
    Echogenicity,
    Focus,
    Margin,
    Orientation,
    parse_descriptors,
)
from shared.phantoms import draw
from tests.integration.api.test_preview_outlines import EXPIRE
from tests.integration.api.test_previews import calibrated
from tests.support.builders import Screen, dicom_file, encode, png
from tests.support.phone_photos import photograph

PICTURE = "#stage canvas"
CASE = re.compile(r"/cases/([0-9a-f-]{36})$")
TIMEOUT_MS = 60_000
DESCRIPTORS = Descriptors(
    Composition.MIXED,
    Echogenicity.ISOECHOIC,
    Orientation.WIDER,
    Margin.LOBULATED,
    frozenset({Focus.PUNCTATE}),
    eccentric=True,
)


def image(
    data: bytes | None = None, name: str = "nodule.png", kind: str = "image/png"
) -> dict[str, object]:
    return {"name": name, "mimeType": kind, "buffer": data or png(3)}


def choose(page: Page, **file: object) -> None:
    page.get_by_label("Choose file").set_input_files(image(**file))
    expect(page.locator(PICTURE)).to_be_visible(timeout=TIMEOUT_MS)


def case_of(page: Page, stage) -> dict[str, object]:
    """The case whose page the browser shows, from the ledger."""
    page.wait_for_url(CASE, timeout=TIMEOUT_MS)
    names = (
        "size_mm",
        "roi",
        "source",
        "urgent",
        "external_id",
        "frame",
        "descriptors",
        "cases",
    )
    query = (
        "SELECT c.size_mm, c.roi, c.source, j.urgent, c.external_id, c.frame, c.descriptors,"
        " (SELECT count(*) FROM cases)"
        " FROM cases c JOIN jobs j ON j.case_id = c.id WHERE c.id = :id"
    )
    (row,) = stage.rows(query, id=CASE.search(page.url)[1])
    return dict(zip(names, row, strict=True))


def place(page: Page, x: float, y: float) -> tuple[float, float]:
    """The place on the page of a point of a square image that is fitted into its viewer; x and y
    are shares of its sides.
    """
    box = page.locator(PICTURE).bounding_box()
    side = min(box["width"], box["height"])
    left = box["x"] + (box["width"] - side) / 2
    top = box["y"] + (box["height"] - side) / 2
    return left + x * side, top + y * side


def drag(page: Page, *points: tuple[float, float]) -> None:
    """Drag over a square image; points are shares of its sides."""
    positions = [place(page, x, y) for x, y in points]
    page.mouse.move(*positions[0])
    page.mouse.down()
    for position in positions[1:]:
        page.mouse.move(*position, steps=4)
    page.mouse.up()


def tool(page: Page, name: str) -> None:
    page.locator(f"[data-tool={name}]").click()


def test_a_size_in_cm_an_image_and_a_drawn_box_become_a_case(
    open_page, stage, assert_accessible, screenshot
):
    page = open_page(path="/")
    page.get_by_label("Largest diameter").fill("1,45 cm")
    expect(page.locator("#size-said")).to_contain_text("14.5 mm")
    choose(page)
    drag(page, (0.25, 0.25), (0.5, 0.5), (0.75, 0.75))
    drag(page, (0.5, 0.5), (0.4, 0.5))
    drag(page, (0.65, 0.75), (0.8, 0.9))
    page.get_by_label("Urgent").check()
    page.get_by_label("Your own number").fill("N-17")
    screenshot(page, "new-case-desk")
    for chip in ("Mixed", "Iso", "Wider than tall", "Solid part eccentric", "Punctate"):
        page.get_by_label(chip, exact=False).first.check()
    counted = page.locator("#counted")
    expect(counted).to_have_text("points: 5 · still missing: Margin")
    assert_accessible(page)
    page.get_by_role("button", name="Analyse").click()
    expect(page.locator("#status")).to_contain_text("lacks: Margin")
    expect(page.get_by_label("Smooth")).to_be_focused()
    page.get_by_label("Lobulated").check()
    expect(counted).to_have_text("TR5 points: 7")
    screenshot(page, "new-case-desk-described")
    page.get_by_role("button", name="Analyse").click()
    case = case_of(page, stage)
    assert (case["size_mm"], case["source"]) == (14.5, "file")
    assert case["roi"]["box"] == pytest.approx([19, 32, 83, 83], abs=2)
    assert (case["urgent"], case["external_id"]) == (True, "N-17")
    assert parse_descriptors(case["descriptors"]) == DESCRIPTORS


def test_on_a_phone_a_photo_of_the_screen_is_straightened_and_becomes_a_case(
    open_page, stage, assert_accessible, screenshot
):
    page = open_page(path="/", phone=True)
    photo = photograph(draw(6, size_px=300).pixels, 6).pixels
    screenshot(page, "new-case-phone-empty")
    page.get_by_label("Take a photo").set_input_files(image(encode(photo), "IMG_1.png"))
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("status")).to_contain_text(
        "corners were found", timeout=TIMEOUT_MS
    )
    page.keyboard.press("ArrowRight")
    screenshot(page, "new-case-phone-corners")
    dialog.get_by_role("button", name="Straighten").click()
    dialog.get_by_role("button", name=re.compile("^Use")).click(timeout=TIMEOUT_MS)
    expect(page.locator(PICTURE)).to_be_visible()
    assert_accessible(page)
    screenshot(page, "new-case-phone-nodule")
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Largest diameter").fill("12")
    assert_accessible(page)
    screenshot(page, "new-case-phone")
    page.get_by_role("button", name="Analyse").click()
    case = case_of(page, stage)
    assert (case["size_mm"], case["source"], case["urgent"], case["descriptors"]) == (
        12.0,
        "photo",
        False,
        None,
    )


def test_an_unlikely_size_is_questioned_and_a_calibrated_image_suggests_its_size(
    open_page,
):
    page = open_page(path="/")
    size = page.get_by_label("Largest diameter")
    doubt = page.locator("#size-doubt")
    size.fill("145")
    size.blur()
    expect(doubt).to_contain_text("very large")
    doubt.get_by_role("button", name="Use 14.5 mm").click()
    expect(doubt).to_be_hidden()
    pixels = calibrated(Screen().end(100, 150).end(200, 150).pixels)
    choose(page, data=pixels, name="scan.dcm", kind="application/dicom")
    expect(page.locator("#roi-said")).to_contain_text("caliper marks")
    page.locator("#size-offer").get_by_role("button").click()
    assert 9.8 <= float(size.input_value()) <= 10.2


def test_the_warnings_of_a_preview_name_their_facts(open_page):
    page = open_page(path="/")
    screen = Screen()
    screen.pixels[:40] = 0
    for place, glyph in enumerate("KIM MINJI 1958"):
        screen.letter(20 + 14 * place, 26, glyph)
    shallow = dicom_file(screen.pixels, PixelSpacing=[0.01, 0.01], NumberOfFrames=1)
    choose(page, data=shallow, name="scan.dcm", kind="application/dicom")
    warnings = page.locator("#warnings")
    expect(warnings).to_contain_text("lines: 1, of these on the tissue: 0")
    expect(warnings).to_contain_text("3 mm deep")
    expect(warnings).not_to_contain_text("{")


@pytest.mark.parametrize("is_played", [False, True])
def test_the_frame_that_is_seen_is_the_one_that_is_read(open_page, stage, is_played):
    page = open_page(path="/")
    loop = np.stack([draw(seed, size_px=128).pixels for seed in range(4)])
    choose(
        page,
        data=dicom_file(loop, NumberOfFrames=4),
        name="loop.dcm",
        kind="application/dicom",
    )
    uploads = file_uploads(page)
    page.get_by_label("Largest diameter").fill("21")
    label = page.locator(".viewer-frames output")
    if is_played:
        page.get_by_role("button", name="Play the loop").click()
        expect(label).to_have_text("Frame 4 of 4")
    else:
        page.get_by_label("Frame of the loop").press("ArrowLeft")
        expect(label).to_have_text("Frame 2 of 4")
    page.get_by_role("button", name="Analyse").click()
    page.wait_for_timeout(100)
    seen = int(label.inner_text().split()[1]) if is_played else 2
    assert case_of(page, stage)["frame"] == seen
    assert uploads == []


def test_a_frame_that_cannot_be_had_is_not_sent(open_page, stage):
    page = open_page(path="/")
    loop = np.stack([draw(seed, size_px=128).pixels for seed in range(4)])
    data = dicom_file(loop, NumberOfFrames=4)
    choose(page, data=data, name="loop.dcm", kind="application/dicom")
    page.get_by_label("Largest diameter").fill("21")
    problem = {"code": "decoders-busy", "detail": "Too many images are being read."}
    page.route("**/v1/previews", lambda route: route.fulfill(status=503, json=problem))
    page.get_by_label("Frame of the loop").press("ArrowLeft")
    page.get_by_role("button", name="Analyse").click()
    expect(page.locator("#status")).to_contain_text("Too many images")
    expect(page.locator(".viewer-frames output")).to_have_text("Frame 3 of 4")
    page.unroute("**/v1/previews")
    page.get_by_role("button", name="Analyse").click()
    assert case_of(page, stage)["frame"] is None


def test_reset_clears_everything_and_a_lost_answer_makes_no_second_case(
    open_page, stage
):
    page = open_page(path="/")
    choose(page)
    page.get_by_label("Largest diameter").fill("9")
    page.get_by_label("Your own number").fill("N-18")
    page.get_by_label("Mixed").check()
    page.get_by_role("button", name="Reset").click()
    expect(page.locator("#view")).to_be_hidden()
    assert [
        page.locator(f"#{field}").input_value() for field in ("size", "external")
    ] == [""] * 2
    expect(page.locator("#describe input:checked")).to_have_count(0)
    page.get_by_role("button", name="Analyse").click()
    expect(page.locator("#status")).to_contain_text("Add an image")
    choose(page)
    page.get_by_role("button", name="Analyse").click()
    expect(page.locator("#status")).to_contain_text("size of the nodule")
    page.get_by_label("Largest diameter").fill("9")
    ((count_cases,),) = stage.rows("SELECT count(*) FROM cases")
    page.route("**/v1/cases", lambda route: (route.fetch(), route.abort()), times=1)
    page.get_by_role("button", name="Analyse").click()
    expect(page.locator("#status")).to_contain_text("does not answer")
    page.get_by_role("button", name="Analyse").click()
    assert case_of(page, stage)["cases"] == count_cases + 1


def test_a_phone_in_korean_and_dark_sends_the_box_of_the_caliper_marks(
    open_page, stage, assert_accessible, screenshot
):
    page = open_page(path="/", phone=True, language="ko", dark=True)
    page.locator("#file").set_input_files(
        image(encode(Screen().end(100, 150).end(200, 150).pixels))
    )
    expect(page.locator("#roi-said")).to_contain_text("캘리퍼", timeout=TIMEOUT_MS)
    page.locator("#next").click()
    page.locator("#size").fill("1.4")
    page.locator("#size").blur()
    page.get_by_label("혼합").check()
    assert_accessible(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    screenshot(page, "new-case-phone-ko-dark", full=True)
    page.get_by_role("button", name="1.4 mm 그대로").click()
    page.locator("#undescribe").click()
    page.locator("#submit").click()
    x, y, width, height = case_of(page, stage)["roi"]["box"]
    assert x <= 100 < 200 <= x + width
    assert y <= 150 <= y + height


def test_a_person_who_may_not_submit_is_redirected_to_their_first_page(open_page):
    page = open_page(Role.OPERATOR, path="/")
    first_path = next(
        entry.path
        for entry in ENTRIES
        if set(entry.permissions) & PERMISSIONS[Role.OPERATOR]
    )
    assert page.url.endswith(first_path)


def test_input_from_before_the_script_runs_is_kept(open_page, stage):
    page = open_page()
    delayed_routes = []
    page.route("**/reader.js", lambda route: delayed_routes.append(route))
    page.goto("/", wait_until="commit")
    page.locator("#size").fill("14.5")
    page.locator("#file").set_input_files(image())
    expect(page.locator("#submit")).to_be_disabled()
    delayed_routes.pop().continue_()
    expect(page.locator(PICTURE)).to_be_visible(timeout=TIMEOUT_MS)
    page.locator("#submit").click()
    assert case_of(page, stage)["size_mm"] == 14.5


def file_uploads(page: Page) -> list[str]:
    """Collects the requests that carry a file from now on."""
    uploads: list[str] = []

    def collect(route):
        if b"filename=" in (route.request.post_data_buffer or b""):
            uploads.append(route.request.url)
        route.continue_()

    page.route("**/v1/**", collect)
    return uploads


def greys_of_case(page: Page, stage) -> list[int]:
    """Greys of the stored image of the case that the browser shows: two in a blackened area, one
    beside it.
    """
    return page.evaluate(
        """async (path) => {
          const picture = await createImageBitmap(await (await fetch(path)).blob());
          const pen = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
          pen.drawImage(picture, 0, 0);
          return [[20, 20], [50, 40], [100, 100]].map(([x, y]) => pen.getImageData(x, y, 1, 1).data[0]);
        }""",
        f"/v1{page.url.removeprefix(stage.stack.url)}/image.png",
    )


@pytest.mark.parametrize("is_erased", [False, True])
def test_a_blackened_area_is_black_in_the_case(
    open_page, stage, stack_ledger, is_erased
):
    page = open_page(path="/")
    choose(page)
    uploads = file_uploads(page)
    tool(page, "cover")
    drag(page, (0.1, 0.1), (0.3, 0.3), (0.5, 0.4))
    expect(page.locator("#uncover")).to_be_visible()
    if is_erased:  # then the page sends the file
        with stack_ledger.engine.begin() as connection:
            connection.exec_driver_sql(EXPIRE)
    page.get_by_label("Largest diameter").fill("12")
    page.get_by_role("button", name="Analyse").click()
    case_of(page, stage)
    assert len(uploads) == (1 if is_erased else 0)
    first, second, beside = greys_of_case(page, stage)
    assert first == second == 0 < beside


def test_a_blackened_area_can_be_undone(open_page):
    page = open_page(path="/")
    choose(page)
    tool(page, "cover")
    drag(page, (0.1, 0.1), (0.5, 0.4))
    undo = page.locator("#uncover")
    expect(undo).to_be_visible()
    canvas = page.locator(PICTURE)
    page.wait_for_timeout(300)
    covered = canvas.screenshot()
    undo.click()
    expect(undo).to_be_hidden()
    page.wait_for_timeout(300)
    assert canvas.screenshot() != covered


def test_two_diameters_of_a_calibrated_image_fill_the_size(open_page, stage):
    page = open_page(path="/")
    pixels = calibrated(draw(1, size_px=200).pixels)
    choose(page, data=pixels, name="scan.dcm", kind="application/dicom")
    tool(page, "caliper")
    drag(page, (0.25, 0.5), (0.5, 0.5), (0.75, 0.5))
    drag(page, (0.5, 0.35), (0.5, 0.5), (0.5, 0.65))
    size = page.get_by_label("Largest diameter")
    expect(size).to_have_value(re.compile(r"^(9\.9|10|10\.1) × (5\.9|6|6\.1)$"))
    page.get_by_role("button", name="Analyse").click()
    assert case_of(page, stage)["size_mm"] == pytest.approx(10, abs=0.15)


def test_a_chip_is_given_up_by_a_second_press(open_page):
    page = open_page(path="/")
    chip = page.get_by_label("Spongiform")
    chip.check()
    expect(page.locator("#counted")).to_contain_text("still missing")
    chip.press("Space")
    expect(chip).not_to_be_checked()
    expect(page.locator("#counted")).to_contain_text("Choose what you see")


def test_the_next_case_begins_at_the_field_for_the_image(open_page):
    page = open_page(path="/#new")
    expect(page.locator("#file")).to_be_focused()


def test_findings_are_counted_by_the_hospital_s_own_guideline_in_its_words(
    open_page, stack_ledger
):
    with stack_ledger.system_session("test") as session:
        hospital = session.hospitals.ensure("k-tirads")
        rule = {"fna_rule": "risk-band/K-TIRADS-2021/1"}
        session.hospitals.change(hospital, rule)
    page = open_page(hospital="k-tirads", path="/")
    for chip in ("Solid", "Mildly hypo", "Parallel", "Spiculated"):
        page.get_by_label(chip).first.check()
    expect(page.locator("#counted")).to_have_text("K-TIRADS 5 suspicious signs: 1")
