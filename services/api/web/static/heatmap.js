// The explanation map over the image of a case. The reader requests it; a worker makes it after the waiting cases.

const INITIAL_OPACITY = 0.6, TIMEOUT_MS = 180_000;
let mounted = 0;

/**
 * Puts a button under `figure`, which contains an <img> of the case, scaled by CSS. The button shows the heat layer over the
 * image, with its opacity, a choice of map, a legend and the measured faithfulness.
 *
 * @param {HTMLElement} figure
 * @param {{caseId: string, words: (key: string, fields?: object) => string}} facts  `words` is the page's `t`; the keys
 *   are those of the word file `heatmap`
 * @returns {{remove: () => void}}
 */
export function mountHeatmap(figure, { caseId, words }) {
  const image = figure.querySelector("img"), id = `heatmap-${mounted += 1}`;
  const panel = make("section", { className: "heatmap" }), button = make("button", { type: "button", textContent: words("heatmap.show") });
  const status = make("p", { className: "hint" });
  status.setAttribute("role", "status");
  panel.setAttribute("aria-label", words("heatmap.title"));
  panel.append(button, status);
  figure.classList.add("heatmap-over");
  figure.after(panel);
  /** @type {{place: () => void, layer: HTMLImageElement | null}} */
  const over = { place() {}, layer: null };
  const stop = new AbortController();
  const watcher = new ResizeObserver(() => over.place());
  watcher.observe(image);

  button.addEventListener("click", async () => {
    button.disabled = true;
    status.textContent = words("heatmap.making");
    try {
      const maps = (await explanation(caseId, stop.signal, words)).maps;
      status.textContent = "";
      button.remove();
      show(maps);
    } catch (problem) {
      if (stop.signal.aborted) return;
      status.textContent = problem.message;
      button.disabled = false;
      button.focus();
    }
  });

  function show(maps) {
    const layer = make("img", { className: "heatmap-layer", alt: "", hidden: true });
    over.layer = layer;
    layer.style.opacity = INITIAL_OPACITY;
    layer.addEventListener("error", () => { status.textContent = words("heatmap.damaged"); });
    layer.addEventListener("load", () => { status.textContent = ""; });
    figure.append(layer);
    const requested = new Set();
    const slider = make("input", { type: "range", min: 0, max: 100, step: 5, value: INITIAL_OPACITY * 100, id: `${id}-opacity` });
    const opacityText = make("output", { htmlFor: slider.id });
    const applyOpacity = () => {
      layer.style.opacity = slider.value / 100;
      opacityText.textContent = words("heatmap.percent", { n: slider.value });
      slider.setAttribute("aria-valuetext", opacityText.textContent);
    };
    slider.addEventListener("input", applyOpacity);
    applyOpacity();
    const description = make("div", {});
    description.setAttribute("aria-live", "polite");
    const strength = field(words("heatmap.opacity"), slider, opacityText), confirmed = maps.findIndex(isConfirmed);
    panel.append(strength);
    if (maps.length > 1) panel.append(choice(maps, Math.max(confirmed, 0), pick));
    panel.append(description);
    pick(Math.max(confirmed, 0));
    (panel.querySelector("button") ?? slider).focus();

    // A map that failed its deletion test is drawn only when the reader asks for it.
    function pick(number) {
      const map = maps[number], [x, y, width, height] = map.roi.box, isDrawn = isConfirmed(map) || requested.has(number);
      layer.hidden = strength.hidden = !isDrawn;
      if (!isDrawn) return offer(map, () => { requested.add(number); pick(number); slider.focus(); });
      layer.src = map.heat;
      over.place = () => {
        const scaleX = image.clientWidth / image.naturalWidth, scaleY = image.clientHeight / image.naturalHeight;
        const position = { left: image.offsetLeft + image.clientLeft + x * scaleX, top: image.offsetTop + image.clientTop + y * scaleY };
        const box = { ...position, width: width * scaleX, height: height * scaleY };
        for (const [name, value] of Object.entries(box)) layer.style[name] = `${value}px`;
      };
      if (image.complete) over.place(); else image.addEventListener("load", () => over.place(), { once: true });
      description.replaceChildren(make("p", { className: "heatmap-label", textContent: label(map, words) }), legend(map, words),
        make("p", { className: "hint", textContent: faithfulness(map, words) }));
    }

    function offer(map, draw) {
      const draws = make("button", { type: "button", textContent: words("heatmap.draw") });
      draws.addEventListener("click", draw);
      description.replaceChildren(make("p", { className: "heatmap-label", textContent: label(map, words) }),
        make("p", { className: "hint", textContent: faithfulness(map, words) }), draws);
    }
  }

  function choice(maps, chosen, pick) {
    const select = make("select", { id: `${id}-map` });
    maps.forEach((map, number) => select.append(make("option", { value: number, textContent: label(map, words) })));
    select.value = String(chosen);
    select.addEventListener("change", () => pick(Number(select.value)));
    return field(words("heatmap.choose"), select);
  }

  return { remove() { stop.abort(); watcher.disconnect(); over.layer?.remove(); panel.remove(); figure.classList.remove("heatmap-over"); } };
}

// Polls until the map is made. Raises an Error whose message is for the reader.
async function explanation(caseId, signal, words) {
  const headers = { "Accept-Language": document.documentElement.lang }, deadline = performance.now() + TIMEOUT_MS;
  while (performance.now() < deadline) {
    const answer = await fetch(`/v1/cases/${caseId}/explanation`, { headers, signal }).catch(() => { throw new Error(words("heatmap.away")); });
    if (answer.status === 200) return answer.json();
    if (answer.status !== 202) throw new Error((await answer.json()).detail);
    await pause(1000 * Number(answer.headers.get("Retry-After") ?? 2), signal);
  }
  throw new Error(words("heatmap.late"));
}

const pause = (ms, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
});

function label(map, words) {
  return words(`heatmap.label.${map.kind}`, { network: map.of, layer: map.layer ?? "" });
}

function legend(map, words) {
  const list = make("ul", { className: "heatmap-legend" });
  const say = (sign, key, fields) => list.append(make("li", { className: `heatmap-${sign}`, textContent: words(`heatmap.${key}`, fields) }));
  say("for", "for");
  if (map.kind === "occlusion") {
    say("against", "against");
    say("strongest", "strongest", { value: (map.strongest > 0 ? "−" : "+") + Math.abs(map.strongest).toFixed(3) });
  }
  return list;
}

const isConfirmed = (map) => map.faithfulness.area > 0;

function faithfulness(map, words) {
  const { area, orders } = map.faithfulness;
  return words(isConfirmed(map) ? "heatmap.faithful" : "heatmap.unfaithful", { area: area.toFixed(3), orders });
}

function field(text, input, ...more) {
  const row = make("p", { className: "field" });
  row.append(make("label", { htmlFor: input.id, textContent: text }), input, ...more);
  return row;
}

function make(name, facts) {
  const { htmlFor, ...rest } = facts, element = Object.assign(document.createElement(name), rest);
  if (htmlFor) element.setAttribute("for", htmlFor);
  return element;
}
