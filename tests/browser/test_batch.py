import re
from typing import Any

from playwright.sync_api import Page, Route, expect

from shared.domain.roles import Role
from tests.support.builders import png

expect.set_options(timeout=40_000)
UNREADABLE = b"\x89PNG\r\n\x1a\n" + b"spoilt" * 40
CASES = re.compile("/v1/cases$")
TABLE = """file,size_mm,external_id,roi,priority
결절-1.png,1.4 cm,A-17,"10 10 90 90",urgent
결절-2.png,"9,5",A-18,,
없음.png,8,,,
"""
SIZES_MM = {
    "14": 14,
    "14.5 mm": 14.5,
    "1,2 cm": 12,
    "１２": 12,
    "1.4 x 0.9 cm": 14,
    "9 × 14 × 8": 14,
    "1.2cm x 9mm": 12,
    "1.4㎝": 14,
    "12 밀리미터": 12,
    "300": 300,
    "": None,
    "0": None,
    "-3": None,
    "31 cm": None,
    "12 m": None,
    "1.2.3": None,
    "large": None,
}


def images(count: int, seed: int, **broken: bytes) -> list[dict[str, Any]]:
    """Files to choose: `north-1.png` and so on, each with a different phantom; then broken ones."""
    data_by_name = {f"north-{n}.png": png(seed + n) for n in range(1, count + 1)}
    data_by_name |= {f"{name}.png": data for name, data in broken.items()}
    return [
        {"name": name, "mimeType": "image/png", "buffer": data}
        for name, data in data_by_name.items()
    ]


def accepted_cases(page: Page) -> list[tuple[float, str | None, str]]:
    """Size, external number and priority of the accepted cases of the page's batch."""
    batch = page.locator("#label").input_value()
    cases = page.request.get("/v1/cases", params={"batch": batch}).json()["cases"]
    return sorted(
        (case["size_mm"], case["external_id"], case["priority"]) for case in cases
    )


def test_sizes_are_read_as_doctors_type_them(open_page):
    page = open_page(None, path="/sign-in")
    script = "texts => import('/static/sizes.js').then(({ parseSize }) => texts.map(parseSize))"
    assert (
        dict(zip(SIZES_MM, page.evaluate(script, list(SIZES_MM)), strict=True))
        == SIZES_MM
    )


def test_a_broken_image_and_one_without_a_size_do_not_stop_the_others(
    open_page, assert_accessible, screenshot
):
    page = open_page(Role.SUBMITTER, path="/batch")
    page.get_by_label("Images", exact=True).set_input_files(
        [*images(5, 7000, spoilt=UNREADABLE), images(1, 7000)[0]]
    )
    expect(page.get_by_role("row")).to_have_count(8)
    expect(page.locator("#checks")).to_contain_text(
        "The same image chosen twice, sent once (1): north-1.png"
    )
    page.get_by_label("One size for all images without a size").fill("1.2 cm")
    page.get_by_role("button", name="Fill in").click()
    page.get_by_label("Size of north-5.png").fill("")
    expect(page.locator("#checks")).to_contain_text(
        "Without a size, not sent until you type one (1): north-5.png"
    )
    screenshot(page, "batch-checks", full=True)
    page.get_by_role("button", name="Send (5)").click()
    expect(page.locator("#counts")).to_have_text("4 of 6 sent, 1 refused, 4 read")
    expect(page.get_by_role("row", name="spoilt.png")).to_contain_text("PNG")
    expect(page.get_by_role("link", name=re.compile("^Open: north-"))).to_have_count(4)
    expect(page.get_by_role("link", name="Show in the worklist")).to_have_attribute(
        "href", re.compile(r"/worklist\?batch=2")
    )
    assert [size for size, _, _ in accepted_cases(page)] == [12.0] * 4
    assert_accessible(page)
    screenshot(page, "batch-read", full=True)


def test_an_interrupted_batch_continues_after_a_reload_without_duplicates(
    open_page, screenshot
):
    page = open_page(Role.SUBMITTER, dark=True, path="/batch")
    files = images(6, 7100)
    posts = []

    def lose_requests(route: Route) -> None:
        """Answers the first request, loses the answer of the second and the next three requests."""
        posts.append(route)
        if len(posts) == 2:
            route.fetch()
        elif len(posts) == 1 or len(posts) > 5:
            route.continue_()

    page.route(
        CASES,
        lambda route: (
            lose_requests(route)
            if route.request.method == "POST"
            else route.continue_()
        ),
    )
    page.get_by_label("Images", exact=True).set_input_files(files)
    for number in range(1, 7):
        page.get_by_label(f"Size of north-{number}.png").fill(str(10 + number))
    page.get_by_role("button", name="Send (6)").click()
    expect(page.locator("#counts")).to_have_text("1 of 6 sent, 0 refused, 1 read")
    page.get_by_role("button", name="Stop sending").click()
    expect(page.get_by_role("button", name="Send (1)")).to_be_enabled()
    assert len(accepted_cases(page)) == 2
    page.reload()
    expect(page.locator("#resume")).to_contain_text(
        "1 of 6 images were sent. Choose the same files again to continue"
    )
    assert not re.search("north|png", page.evaluate("JSON.stringify(sessionStorage)"))
    page.get_by_label("Images", exact=True).set_input_files(files)
    page.get_by_role("button", name="Send (5)").click()
    expect(page.locator("#counts")).to_have_text("6 of 6 sent, 0 refused, 6 read")
    assert [size for size, _, _ in accepted_cases(page)] == [11, 12, 13, 14, 15, 16]
    screenshot(page, "batch-again-dark", full=True)


def test_a_csv_whose_cells_have_shifted_is_named_and_not_used(open_page):
    page = open_page(Role.SUBMITTER, path="/batch")
    [file] = images(1, 7300)
    page.get_by_label("Images", exact=True).set_input_files([file])

    def choose(text: str) -> None:
        sheet = {"name": "a.csv", "mimeType": "text/csv", "buffer": text.encode()}
        page.get_by_label(re.compile("CSV file")).set_input_files(sheet)

    choose(f"file,size_mm,external_id\n{file['name']},9,5,A-1\nb.png,8,A-2\n")
    expect(page.locator("#checks")).to_contain_text(
        "2: The row cannot be used: it has 4"
    )
    expect(page.locator("#checks")).to_contain_text("Without a size")
    choose(f"file,size\n{file['name']},9\n")
    expect(page.locator("#status")).to_contain_text("Did you mean size_mm")


def test_a_csv_sets_sizes_numbers_and_priority_over_plain_http_and_a_busy_sera_is_retried(
    open_page, assert_accessible, screenshot
):
    page = open_page(Role.SUBMITTER, language="ko", phone=True)
    requests = []
    page.add_init_script(
        "Object.defineProperty(Crypto.prototype, 'subtle', { value: undefined })"
    )
    page.goto("/batch")

    def refuse_first(route: Route) -> None:
        requests.append(route)
        rate_limited = {
            "status": 429,
            "headers": {"Retry-After": "1"},
            "json": {"code": "rate-limited", "detail": "later"},
        }
        route.fulfill(**rate_limited) if len(requests) == 1 else route.continue_()

    page.route(
        CASES,
        lambda route: (
            refuse_first(route) if route.request.method == "POST" else route.continue_()
        ),
    )
    files = [
        {**file, "name": f"결절-{n}.png"} for n, file in enumerate(images(2, 7200), 1)
    ]
    sheet = {
        "name": "목록.csv",
        "mimeType": "text/csv",
        "buffer": TABLE.encode("cp949"),
    }
    page.get_by_label("영상", exact=True).set_input_files(files)
    page.get_by_label(re.compile("CSV 파일")).set_input_files(sheet)
    expect(page.locator("#checks")).to_contain_text("없음.png")
    assert_accessible(page)
    screenshot(page, "batch-phone-ko", full=True)
    page.get_by_role("button", name="2건 보내기").click()
    expect(page.locator("#counts")).to_have_text(
        "2건 중 2건 전송, 0건 거부, 2건 판독 완료"
    )
    assert len(requests) == 3
    assert accepted_cases(page) == [(9.5, "A-18", "routine"), (14.0, "A-17", "urgent")]
    screenshot(page, "batch-phone-read-ko", full=True)
