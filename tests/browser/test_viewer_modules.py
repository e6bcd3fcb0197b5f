"""The viewer's calculations, module by module, in the browser that runs them."""

import json
from itertools import cycle, product

import pytest

from services.api.reports.sentences import risk_percent
from services.api.web.files import STATIC_URL
from shared.guidelines import (
    GUIDELINES,
    Composition,
    Descriptors,
    Echogenicity,
    Focus,
    Margin,
    Orientation,
    descriptors_to_json,
)
from shared.guidelines.guideline_json import guideline_to_json

ROUGH = {"abs": 1e-6}


@pytest.fixture
def run(open_page):
    """Evaluates a function of the names that modules export, on the sign-in page."""
    page = open_page(None, path="/sign-in")

    def evaluate(function: str, *modules: str):
        urls = [f"{STATIC_URL}/{module}.js" for module in modules]
        return page.evaluate(
            f"""async (urls) => {{
              const names = Object.assign({{}}, ...(await Promise.all(urls.map((url) => import(url)))));
              return ({function})(names);
            }}""",
            urls,
        )

    return evaluate


def test_zooming_keeps_the_point_at_the_pointer_and_stops_at_the_fit(run):
    result = run(
        """({ Viewport }) => {
          const view = new Viewport();
          view.setScreen(800, 600);
          view.setImage(400, 200);
          const fitted = [view.scale, view.x, view.y], at = [100, 300], before = view.toImage(at);
          view.zoomBy(3, at);
          const after = view.toImage(at), enlarged = view.scale;
          view.zoomBy(0.001, at);
          const back = [view.scale, view.x, view.y];
          view.zoomTo(1000);
          return { fitted, before, after, enlarged, back, most: view.scale };
        }""",
        "viewport",
    )
    assert result["fitted"] == [2, 0, 100]
    assert result["after"] == pytest.approx(result["before"], **ROUGH)
    assert result["enlarged"] == 6
    assert result["back"] == result["fitted"]
    assert result["most"] == 32


def test_an_image_never_leaves_the_screen_and_a_fitted_one_stays_fitted(run):
    result = run(
        """({ Viewport }) => {
          const view = new Viewport();
          view.setScreen(800, 600);
          view.setImage(400, 200);
          view.zoomBy(2);
          view.panBy(9999, -9999);
          const corner = [view.x, view.y + view.imageHeight * view.scale];
          view.fit();
          view.setScreen(400, 600);
          return { corner, isFitted: view.isFitted, scale: view.scale };
        }""",
        "viewport",
    )
    assert result["corner"] == [800 - 48, 48]
    assert result["isFitted"] is True
    assert result["scale"] == 1


def test_the_plain_window_changes_nothing_and_others_follow_dicom(run):
    result = run(
        """({ greyTable, mapGreys }) => {
          const plain = [...greyTable({ window: 256, level: 128, isInverted: false })];
          const narrow = [...greyTable({ window: 101, level: 100.5, isInverted: false })];
          const inverted = [...greyTable({ window: 256, level: 128, isInverted: true })];
          const pixels = new ImageData(new Uint8ClampedArray([10, 20, 30, 99]), 1, 1);
          return { plain, narrow, inverted, mapped: [...mapGreys(pixels, inverted).data] };
        }""",
        "grey-levels",
    )
    assert result["plain"] == list(range(256))
    assert result["inverted"] == list(range(255, -1, -1))
    assert result["mapped"] == [245, 235, 225, 99]
    narrow = result["narrow"]
    assert (narrow[50], narrow[150]) == (0, 255)
    assert narrow[75] == pytest.approx(((75 - 100) / 100 + 0.5) * 255, abs=0.5)


def test_boxes_stay_inside_and_lengths_are_measured_in_the_calibrated_area_only(run):
    result = run(
        """({ boxInside, boxBetween, lengthMm, edgeAt, nearest, simplified, outlineOf }) => {
          const calibration = { rowMm: 0.2, columnMm: 0.1, box: [0, 0, 100, 100] };
          const angles = Array.from({ length: 200 }, (_, step) => (step * Math.PI) / 100);
          const circle = angles.map((angle) => [50 + 40 * Math.cos(angle), 50 + 40 * Math.sin(angle)]);
          return {
            box: boxInside([-5, 90, 50, 2], 100, 100),
            between: boxBetween([30, 10], [10, 40]),
            length: lengthMm([[0, 0], [30, 20]], calibration),
            outside: lengthMm([[0, 0], [130, 20]], calibration),
            uncalibrated: lengthMm([[0, 0], [3, 4]], null),
            edge: edgeAt([[0, 0], [100, 0], [100, 100]], [50, 3], 5),
            far: nearest([[0, 0], [10, 10]], [40, 40], 5),
            simple: simplified(circle, 1).length,
            corners: outlineOf({ box: [1, 2, 3, 4] }),
          };
        }""",
        "geometry",
    )
    assert result["box"] == [0, 90, 50, 8]
    assert result["between"] == [10, 10, 20, 30]
    assert result["length"] == pytest.approx(5)
    assert (result["outside"], result["uncalibrated"]) == (None, None)
    assert (result["edge"], result["far"]) == (1, -1)
    assert 8 <= result["simple"] <= 24
    assert result["corners"] == [[1, 2], [4, 2], [4, 6], [1, 6]]


def test_an_edit_after_undo_ends_what_was_undone(run):
    result = run(
        """({ History }) => {
          const history = new History("a");
          history.push("b");
          history.push("c");
          history.undo();
          history.undo();
          const first = history.state, more = history.undo();
          history.redo();
          history.push("d");
          return [first, more, history.state, history.canRedo, history.undo() && history.state];
        }""",
        "history",
    )
    assert result == ["a", False, "d", False, "b"]


def test_risks_are_shown_by_the_rule_of_the_server(run):
    risks = [step / 997 for step in range(998)]
    shown = run(
        f"({{ riskPercent }}) => {risks}.map((risk) => riskPercent(risk))", "risks"
    )
    assert shown == [risk_percent(risk) for risk in risks]


COUNT = """
({ countPoints, findLevel }) => (GUIDELINES).map((guideline) =>
  (NODULES).map((nodule) => [countPoints(guideline, nodule), findLevel(guideline, nodule)]))
"""


def every_nodule() -> list[Descriptors]:
    """Each combination of terms, with one of the sets of foci in turn."""
    foci = [frozenset(), *({focus} for focus in Focus), frozenset(Focus)]
    terms = product(Composition, Echogenicity, Orientation, Margin, (False, True))
    return [
        Descriptors(
            composition, echogenicity, orientation, margin, foci_of, eccentric=eccentric
        )
        for (composition, echogenicity, orientation, margin, eccentric), foci_of in zip(
            terms, cycle(foci), strict=False
        )
        if not eccentric or composition is Composition.MIXED
    ]


def test_points_and_levels_are_counted_as_by_the_guidelines(run):
    nodules = every_nodule()
    counted = run(
        COUNT.replace(
            "GUIDELINES",
            json.dumps([guideline_to_json(item) for item in GUIDELINES.values()]),
        ).replace(
            "NODULES", json.dumps([descriptors_to_json(nodule) for nodule in nodules])
        ),
        "guideline",
    )
    for guideline, of_guideline in zip(GUIDELINES.values(), counted, strict=True):
        for nodule, (points, level) in zip(nodules, of_guideline, strict=True):
            expected = guideline.classify(nodule)
            assert points == guideline.points(nodule)
            assert level == (expected and expected.name)


def test_an_outline_of_many_points_is_thinned_before_they_are_moved(run):
    result = run(
        """({ editable, encloses }) => {
          const angles = Array.from({ length: 400 }, (_, i) => i / 400 * 2 * Math.PI);
          const circle = angles.map((angle) => [100 + 50 * Math.cos(angle), 100 + 50 * Math.sin(angle)]);
          const thin = editable(circle), radii = thin.map(([x, y]) => Math.hypot(x - 100, y - 100));
          const isEnclosed = [[100, 100], [149, 149]].map((point) => encloses(thin, point));
          return { count: thin.length, least: Math.min(...radii), isEnclosed, same: editable(thin) === thin };
        }""",
        "geometry",
    )
    assert 8 < result["count"] <= 24
    assert result["least"] == pytest.approx(50, abs=0.1)
    assert result["isEnclosed"] == [True, False]
    assert result["same"]
