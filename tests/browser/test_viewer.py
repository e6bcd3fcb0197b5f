"""The viewer's tools by mouse, touch and keys, in a real browser."""

import pytest
from playwright.sync_api import expect

from shared.domain.roles import Role
from tests.browser.recipe_results import finish_case, recipe_result
from tests.browser.viewer_page import CALIBRATION, PROPOSAL, Fingers, ViewerPage
from tests.support.builders import png

HOSPITAL = "viewing"
TARGET_PX = 44


@pytest.fixture(scope="module")
def path(stage, stack_ledger) -> str:
    """The path of a page that has the words of the viewer."""
    hospital = stage.hospital(HOSPITAL)
    case = finish_case(stage, stack_ledger, hospital, recipe_result("light"), png(71))
    return f"/cases/{case}"


@pytest.fixture
def mount(open_page, path):
    """Opens a page with a viewer on a desk or a phone."""

    def open_viewer(*, phone: bool = False, frames: int = 1) -> ViewerPage:
        page = open_page(Role.READER, HOSPITAL, phone=phone, path=path)
        expect(page.locator("#picture.is-ready")).to_be_visible()
        return ViewerPage.mount(page, frames)

    return open_viewer


def test_the_mouse_zooms_at_the_pointer_moves_and_changes_the_greys(mount):
    viewer = mount()
    fitted = viewer.get("viewport.scale")
    x, y = viewer.screen(120, 90)
    viewer.page.mouse.move(x, y)
    viewer.page.mouse.wheel(0, -400)
    viewer.wait_until(f"viewport.scale > {fitted} * 1.2")
    assert viewer.screen(120, 90) == pytest.approx((x, y), abs=0.6)

    before = viewer.screen(0, 0)
    viewer.drag((120, 90), (150, 100))
    scale = viewer.get("viewport.scale")
    moved = [now - then for now, then in zip(viewer.screen(0, 0), before, strict=True)]
    assert moved == pytest.approx([30 * scale, 10 * scale], abs=1.5)

    viewer.drag((120, 90), (130, 110), button="right")
    assert viewer.get("greys.window") > 256
    assert viewer.get("greys.level") > 128
    expect(viewer.page.locator(".viewer-readout")).to_contain_text("W ")
    viewer.press("d")
    assert viewer.get("greys.isPlain")
    assert viewer.get("viewport.isFitted")

    viewer.page.mouse.dblclick(x, y)
    assert viewer.get("viewport.scale") > fitted
    viewer.tool("one")
    assert viewer.get("viewport.scale") == 1
    viewer.tool("fit")
    assert viewer.get("viewport.scale") == pytest.approx(fitted)


def test_grey_levels_by_tool_preset_and_inversion_change_what_is_drawn(mount):
    viewer = mount()
    assert viewer.grey(20, 20) == 60
    assert viewer.grey(150, 100) == 200
    viewer.tool("invert")
    assert viewer.grey(20, 20) == 195
    viewer.tool("invert")
    viewer.page.get_by_label("Grey levels").select_option("dark")
    assert viewer.grey(20, 20) == round((60 - 59.5) / 109 * 255 + 127.5)
    assert viewer.grey(150, 100) == 255
    viewer.tool("window")
    viewer.drag((50, 200), (60, 200))
    expect(viewer.page.get_by_label("Grey levels")).to_have_value("own")


def test_a_box_is_drawn_moved_resized_undone_and_redone_by_mouse(mount):
    viewer = mount()
    viewer.tool("box")
    viewer.drag((100, 70), (200, 170))
    assert viewer.get("marks.box") == pytest.approx([100, 70, 100, 100], abs=1)
    viewer.drag((150, 120), (170, 130))
    assert viewer.get("marks.box") == pytest.approx([120, 80, 100, 100], abs=1)
    viewer.drag((220, 180), (260, 200))
    assert viewer.get("marks.box") == pytest.approx([120, 80, 140, 120], abs=1)
    viewer.press("u", "u")
    assert viewer.get("marks.box") == pytest.approx([100, 70, 100, 100], abs=1)
    viewer.press("Control+y")
    assert viewer.get("marks.box") == pytest.approx([120, 80, 100, 100], abs=1)
    viewer.click(30, 30)
    assert viewer.get("marks.box")[:2] == pytest.approx([120, 80], abs=1)
    assert viewer.page.evaluate("changes.at(-1).marks.box") == viewer.get("marks.box")


def test_two_calipers_give_the_two_diameters_in_mm_where_the_image_is_calibrated(mount):
    viewer = mount()
    viewer.tool("caliper")
    viewer.drag((100, 100), (200, 100))
    viewer.drag((150, 60), (150, 160))
    assert viewer.page.evaluate("changes.at(-1).diametersMm") == pytest.approx(
        [100 * CALIBRATION["rowMm"], 100 * CALIBRATION["columnMm"]], abs=0.3
    )
    expect(viewer.page.locator(".viewer [role=status]")).to_have_text("20.0 mm")
    viewer.drag((150, 160), (150, 290))
    assert len(viewer.page.evaluate("changes.at(-1).diametersMm")) == 1
    viewer.press("Delete")
    assert len(viewer.get("marks.calipers")) == 1


def test_an_outline_is_clicked_or_drawn_and_its_points_are_moved(mount):
    viewer = mount()
    viewer.tool("polygon")
    for point in ((100, 70), (200, 70), (200, 170), (100, 70)):
        viewer.click(*point)
    flat = [value for point in viewer.get("marks.polygon") for value in point]
    assert flat == pytest.approx([100, 70, 200, 70, 200, 170], abs=1)
    viewer.drag((200, 170), (220, 190))
    assert viewer.get("marks.polygon")[2] == pytest.approx([220, 190], abs=1)
    viewer.drag((150, 70), (150, 50))
    assert len(viewer.get("marks.polygon")) == 4
    viewer.press("Delete")
    assert viewer.get("marks.polygon") is None

    page = viewer.page
    page.mouse.move(*viewer.screen(100, 100))
    page.mouse.down()
    for point in ((150, 80), (200, 100), (190, 160), (120, 170)):
        page.mouse.move(*viewer.screen(*point), steps=8)
    page.mouse.up()
    assert 4 <= len(viewer.get("marks.polygon")) <= 12


def test_a_proposed_outline_is_accepted_and_corrected_or_discarded(mount):
    viewer = mount()
    page = viewer.page
    viewer.tool("click")
    viewer.click(150, 120)
    accept = page.get_by_role("button", name="Accept outline")
    expect(accept).to_be_visible()
    assert page.evaluate("clicked[0]") == pytest.approx([150, 120], abs=1)
    accept.click()
    expect(accept).to_be_hidden()
    assert viewer.get("marks.polygon") == PROPOSAL
    viewer.drag((200, 150), (230, 160))
    assert viewer.get("marks.polygon")[2] == pytest.approx([230, 160], abs=1)
    viewer.tool("click")
    viewer.click(350, 120)
    expect(page.locator(".viewer [role=status]")).to_have_text(
        "SERA finds no nodule there."
    )
    viewer.click(120, 120)
    page.get_by_role("button", name="Discard").click()
    assert viewer.get("proposals") == []


def test_every_tool_works_by_keyboard(mount):
    viewer = mount()
    page = viewer.page
    viewer.press("r", "Enter")
    assert viewer.get("marks.box") == [100, 75, 200, 150]
    viewer.press("ArrowRight", "Shift+ArrowDown")
    assert viewer.get("marks.box") == [104, 75, 200, 154]
    viewer.press("Delete")
    assert viewer.get("marks.box") is None

    viewer.press("c", "Enter")
    ((start, end),) = viewer.get("marks.calipers")
    viewer.press("ArrowRight", "Enter", "ArrowLeft", "a")
    (first, _) = viewer.get("marks.calipers")
    assert first[1][0] > end[0]
    assert first[0][0] < start[0]
    viewer.press("Delete", "Delete")

    viewer.press("o", "Enter", *["Shift+ArrowRight"] * 3, "Enter")
    viewer.press(*["Shift+ArrowDown"] * 3, "Enter", "Enter")
    assert len(viewer.get("marks.polygon")) == 3
    viewer.press("k", *["Shift+ArrowLeft"] * 8, "Enter")
    viewer.wait_until("proposals.length > 0")
    viewer.press("y")
    assert viewer.get("marks.polygon") == PROPOSAL

    viewer.press("w", "ArrowRight", "ArrowUp")
    assert viewer.get("greys.window") == 260
    assert viewer.get("greys.level") == 124
    viewer.press("g", "i")
    assert viewer.get("greys.isInverted")
    viewer.press("v", "+", "+")
    left = viewer.get("viewport.x")
    viewer.press("ArrowRight")
    assert viewer.get("viewport.x") == left - 40
    viewer.press("End")
    assert viewer.get("viewport.scale") == 1
    viewer.press("Home", "h", "x")
    assert viewer.get("viewport.isFitted")
    assert viewer.get("showsOutlines") is False
    assert page.evaluate("mapAsked") == 1


def test_the_toolbar_is_one_stop_and_arrows_go_through_it(mount, assert_accessible):
    viewer = mount()
    page = viewer.page
    assert_accessible(page)
    stops = page.locator(".viewer-toolbar [tabindex='0']")
    expect(stops).to_have_count(1)
    stops.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-tool=window]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("[data-tool=window]")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.locator(".viewer-help")).to_be_visible()
    assert_accessible(page)
    page.keyboard.press("Escape")
    expect(page.locator(".viewer-help")).to_be_hidden()
    page.keyboard.press("Tab")
    expect(viewer.canvas).to_be_focused()


def test_two_fingers_zoom_at_their_middle_and_one_draws_with_a_loupe(mount):
    viewer = mount(phone=True)
    page = viewer.page
    fingers = Fingers.of(page)
    assert viewer.canvas.evaluate("canvas => canvas.style.touchAction") == "pan-y"
    fitted = viewer.get("viewport.scale")
    x, y = viewer.screen(200, 150)
    apart = [[(x + side * (30 + 8 * step), y) for step in range(6)] for side in (-1, 1)]
    fingers.move(apart)
    assert viewer.get("viewport.scale") == pytest.approx(fitted * 70 / 30, rel=0.1)
    assert viewer.screen(200, 150) == pytest.approx((x, y), abs=3)
    assert viewer.canvas.evaluate("canvas => canvas.style.touchAction") == "none"

    viewer.press("Home", "r")
    loupes = []
    start, end = viewer.screen(100, 100), viewer.screen(220, 200)
    path = [
        (
            start[0] + (end[0] - start[0]) * step / 5,
            start[1] + (end[1] - start[1]) * step / 5,
        )
        for step in range(6)
    ]
    fingers.move([path], lambda: loupes.append(viewer.get("finger")))
    assert loupes[0] is not None
    assert viewer.get("finger") is None
    assert viewer.get("marks.box") == pytest.approx([100, 100, 120, 100], abs=3)


def test_targets_on_a_phone_are_large_enough(mount):
    viewer = mount(phone=True)
    sizes = [
        min(box["width"], box["height"])
        for control in viewer.page.locator(".viewer-toolbar :is(button, select)").all()
        if (box := control.bounding_box())
    ]
    assert len(sizes) > 10
    assert min(sizes) >= TARGET_PX


def test_frames_are_scrubbed_stepped_and_played(mount):
    viewer = mount(frames=5)
    page = viewer.page
    scrubber = page.get_by_role("slider", name="Frame of the loop")
    scrubber.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".viewer-frames output")).to_have_text("Frame 2 of 5")
    viewer.wait_until("frame === 2")
    assert viewer.grey(20, 20) == 80
    viewer.press("ArrowRight", ".")
    viewer.wait_until("frame === 4")
    viewer.press(",", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    viewer.wait_until("frame === 5")
    page.get_by_role("button", name="Play the loop").click()
    viewer.wait_until("frame === 3")
    page.get_by_role("button", name="Stop").click()
    assert viewer.get("frames.isPlaying") is False
