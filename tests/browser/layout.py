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
  const clips = (element) => element.closest("body") && getComputedStyle(element).overflow !== "visible";
  // The part of a box that the scrolling parts around its element leave visible.
  const visiblePart = (box, parent) => {
    if (!parent || parent === document.body) return box;
    if (!clips(parent)) return visiblePart(box, parent.parentElement);
    const frame = parent.getBoundingClientRect();
    const left = Math.max(box.left, frame.left), right = Math.min(box.right, frame.right);
    const top = Math.max(box.top, frame.top), bottom = Math.min(box.bottom, frame.bottom);
    return visiblePart({ left, right, top, bottom, width: right - left, height: bottom - top }, parent.parentElement);
  };
  // The box of a control or picture, or that of the text in an element.
  const boxOf = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const whole = element.matches(WHOLE) ? element : range;
    return visiblePart(whole.getBoundingClientRect(), element.parentElement);
  };
  // What is scrolled lies under a bar at the lower edge.
  const barOf = (element) => {
    for (let parent = element; parent && parent !== document.body; parent = parent.parentElement) {
      const { position, bottom } = getComputedStyle(parent);
      if (position === "sticky" && bottom !== "auto") return parent;
    }
    return null;
  };
  const boxes = elements
    .filter((element) => element.matches(WHOLE) || [...element.childNodes].some(isText))
    .map((element) => ({ element, box: boxOf(element), isInline: getComputedStyle(element).display === "inline", bar: barOf(element) }))
    .filter(({ box }) => box.width > 0 && box.height > 0);
  for (const { element, box } of boxes) {
    if (box.right > wide.clientWidth + 1 || box.left < -1) faults.push(`${name(element)} reaches out of the page`);
  }
  boxes.forEach((first, index) => boxes.slice(index + 1).forEach((second) => {
    const isWithin = first.element.contains(second.element) || second.element.contains(first.element);
    if (isWithin || (first.isInline && second.isInline) || first.bar !== second.bar) return;
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
