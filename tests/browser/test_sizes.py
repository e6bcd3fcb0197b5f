"""The page and the command line read sizes alike."""

from playwright.sync_api import Page

from shared.domain.roles import Role
from tests.support.typed_sizes import REFUSED_SIZES, SIZES_MM

PARSE_ON_THE_PAGE = """async (texts) => {
  const script = document.querySelector('script[type=module][src*="/static"]');
  const { parseSize } = await import(new URL("sizes.js", script.src).href);
  return texts.map(parseSize);
}"""


def test_the_page_reads_sizes_like_the_command_line(open_page) -> None:
    page: Page = open_page(Role.SUBMITTER, path="/")
    sizes = page.evaluate(PARSE_ON_THE_PAGE, list(SIZES_MM))
    assert dict(zip(SIZES_MM, sizes, strict=True)) == SIZES_MM
    refused = page.evaluate(PARSE_ON_THE_PAGE, list(REFUSED_SIZES))
    assert dict(zip(REFUSED_SIZES, refused, strict=True)) == dict.fromkeys(
        REFUSED_SIZES
    )
