"""What is wrong with the layout of a page: what scrolls sideways, reaches out, or overlaps."""

from playwright.sync_api import Page

FAULTS = """
() => {
  const LEFT_OUT = ".visually-hidden, .skip, [popover], svg, dialog";
  const WHOLE = ".viewer, svg.scale, button, a.button";
  const wide = document.documentElement;
  const faults = wide.scrollWidth > wide.clientWidth ? [`the page is ${wide.scrollWidth} px wide`] : [];
  const name = ({ outerHTML }) => outerHTML.slice(0, 90);
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true });
  // On a phone the heads of tables are for screen readers only.
  const isClipped = (element) => element.closest("thead") && getComputedStyle(element.closest("thead")).position === "absolute";
  const isText = (node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim();
  const elements = [...document.body.querySelectorAll("*")]
    .filter((element) => isShown(element) && (element.matches("svg.scale") || !element.closest(LEFT_OUT)) && !isClipped(element));
  // The box of a control or picture, or that of the text in an element.
  const boxOf = (element) => {
    if (element.matches(WHOLE)) return element.getBoundingClientRect();
    const range = document.createRange();
    range.selectNodeContents(element);
    return range.getBoundingClientRect();
  };
  const boxes = elements
    .filter((element) => element.matches(WHOLE) || [...element.childNodes].some(isText))
    .map((element) => ({ element, box: boxOf(element), isInline: getComputedStyle(element).display === "inline" }))
    .filter(({ box }) => box.width > 0 && box.height > 0);
  for (const { element, box } of boxes) {
    if (box.right > wide.clientWidth + 1 || box.left < -1) faults.push(`${name(element)} reaches out of the page`);
  }
  boxes.forEach((first, index) => boxes.slice(index + 1).forEach((second) => {
    const isWithin = first.element.contains(second.element) || second.element.contains(first.element);
    if (isWithin || (first.isInline && second.isInline)) return;
    const across = Math.min(first.box.right, second.box.right) - Math.max(first.box.left, second.box.left);
    const down = Math.min(first.box.bottom, second.box.bottom) - Math.max(first.box.top, second.box.top);
    if (across > 1.5 && down > 4) faults.push(`${name(first.element)} lies over ${name(second.element)}`);
  }));
  return faults;
}
"""


def layout_faults(page: Page) -> list[str]:
    """What is too wide, out of the page or over another text; empty for a good layout."""
    return page.evaluate(FAULTS)
