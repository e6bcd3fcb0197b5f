// A batch's images as rows of a table: how each stands, and what is to be looked at before sending.

import { byId } from "./session.js";
import { understood, unusual } from "./sizes.js";
import { t } from "./words.js";
import { called } from "./batch-csv.js";

export const FINAL = ["done", "failed", "cancelled"];
const COLOURS = { benign: "good", malignant: "bad", refer: "warn", refused: "bad", failed: "bad", unsized: "warn", wrong: "warn", large: "warn", twin: "warn", later: "warn" };
const NAMED = 5;

// A size as it is read back: in mm, or as it was typed where nothing can be made of it.
export const shown = (typed) => (understood(typed) === null ? typed : t("common.mm", { value: understood(typed) }));

// An image of the batch: `phase` is how far its sending has come, `line` what the worklist says of its case.
export class Item {
  size = "";
  /** @type {import("./batch-csv.js").Row | null} */
  row = null;
  place = /** @type {PageElement} */ (/** @type {unknown} */ (null));
  /** @type {string | null} */
  phase = null;
  /** @type {Error | null} */
  problem = null;
  /** @type {string | null} */
  duplicate = null;
  /** @type {Record<string, any> | null} */
  line = null;

  /** @param {{file?: File | null, digest?: string | null, key?: string | null, caseId?: string | null, mostBytes?: number, twin?: Item | null}} known */
  constructor({ file = null, digest = null, key = null, caseId = null, mostBytes = Infinity, twin = null }) {
    this.file = file;
    this.digest = digest;
    this.key = key;
    this.caseId = caseId;
    this.twin = twin;
    this.large = file !== null && file.size > mostBytes;
  }

  get name() { return this.file?.name ?? `${t("batch.earlier")} (${this.line?.external_id ?? this.caseId?.slice(0, 8)})`; }
  get mm() { return understood(this.size); }

  get state() {
    if (this.caseId) return this.line?.state ?? "sent";
    if (this.phase) return this.phase;
    if (this.twin) return "twin";
    if (this.large) return "large";
    return this.size.trim() === "" ? "unsized" : this.mm === null ? "wrong" : "ready";
  }

  get over() { return FINAL.includes(this.state); }
  get free() { return !this.caseId && (this.phase === null || this.phase === "refused"); }
}

/**
 * A row for an item; `retry` and `remove` are what its buttons do, `edited` hears of a new size.
 *
 * @param {Item} item
 * @param {Record<"retry" | "remove" | "edited", (item: Item) => void>} acts
 */
export function place(item, { retry, remove, edited }) {
  const copy = /** @type {DocumentFragment} */ (byId("row").content.cloneNode(true));
  item.place = /** @type {PageElement} */ (copy.firstElementChild);
  const input = item.place.querySelector("input");
  input.addEventListener("input", () => { item.size = input.value; edited(item); });
  input.addEventListener("change", () => { item.size = shown(item.size); edited(item); });
  input.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); next(input); } });
  item.place.querySelector(".retry").addEventListener("click", () => { item.place.focus(); retry(item); });
  item.place.querySelector(".remove").addEventListener("click", () => remove(item));
  document.querySelector("#table tbody").append(item.place);
}

/** @param {Item} item */
export function paint(item) {
  const part = (name) => item.place.querySelector(name);
  const { state } = item;
  part(".name").textContent = item.name;
  part(".more").textContent = more(item);
  paintSize(item, part("input"), part(".odd"));
  part(".badge").textContent = result(item) ?? said(item, state);
  part(".badge").className = `badge ${COLOURS[item.line?.decision ?? state] ?? ""}`;
  part("p.problem").textContent = state === "refused" ? item.problem?.message ?? "" : state === "failed" ? item.line?.message ?? "" : "";
  paintLinks(item, part, state);
}

function paintSize(item, input, odd) {
  const size = item.line ? t("common.mm", { value: item.line.size_mm }) : item.size;
  if (document.activeElement !== input || item.line) input.value = size;
  input.disabled = !item.free;
  input.hidden = ["twin", "large"].includes(item.state);
  input.setAttribute("aria-label", t("batch.size_of", { file: item.name }));
  input.toggleAttribute("aria-invalid", item.state === "wrong");
  odd.textContent = item.free && item.mm !== null && unusual(item.mm) ? t("batch.odd", { mm: item.mm }) : "";
}

function paintLinks(item, part, state) {
  part(".open").hidden = !item.caseId;
  part(".retry").hidden = state !== "refused";
  part(".remove").hidden = !item.free;
  for (const name of [".open", ".retry", ".remove"]) part(name).setAttribute("aria-label", `${part(name).textContent}: ${item.name}`);
  if (item.caseId) part(".open").href = `/cases/${item.caseId}`;
  part(".twin").hidden = !item.duplicate;
  if (item.duplicate) Object.assign(part(".twin a"), { href: `/cases/${item.duplicate}`, textContent: t("batch.seen_before") });
}

function said(item, state) {
  if (item.line) return t(`common.state.${state}`);
  return t(`batch.state.${state}`, { file: item.twin?.name });
}

function result(item) {
  const { line } = item;
  if (line?.state !== "done" || line.risk === null) return null;
  const risk = t("common.percent", { value: Number((100 * line.risk).toPrecision(3)) });
  return t("batch.result", { decision: t(`common.decision.${line.decision}`), risk });
}

function more(item) {
  const row = item.row ?? {};
  return [row.external_id, row.priority === "urgent" && t("batch.urgent"), row.roi && t("batch.with_roi")].filter(Boolean).join(" · ");
}

function next(input) {
  const all = [...document.querySelectorAll("#table input:enabled")];
  (all[all.indexOf(input) + 1] ?? byId("send")).focus();
}

/**
 * Sentences on what a person should look at before sending.
 *
 * @param {Item[]} items
 * @param {import("./batch-csv.js").Csv | null} csv
 */
export function checks(items, csv) {
  if (items.length > 0 && items.every((item) => item.twin || !item.free)) return [];
  const open = items.filter((item) => item.free && item.phase === null);
  const of = (state) => open.filter((item) => item.state === state).map((item) => item.name);
  const found = Object.fromEntries(["unsized", "wrong", "large", "twin"].map((state) => [state, of(state)]));
  found.odd = open.filter((item) => item.state === "ready" && unusual(item.mm)).map((item) => `${item.name} (${t("common.mm", { value: item.mm })})`);
  const said = Object.entries({ ...found, ...(csv && items.length > 0 && against(items, csv)) }).filter(([, names]) => names.length > 0);
  return [...(csv?.headless ? [t("batch.check.headless")] : []), ...said.map(([check, names]) => t(`batch.check.${check}`, { n: names.length, names: listed(names) }))];
}

function against(items, csv) {
  const there = new Set(items.filter((item) => item.file).map((item) => called(item.file.name)));
  return {
    rows: [...csv.rows].filter(([name]) => !there.has(name)).map(([, row]) => row.file),
    files: csv.headless ? [] : items.filter((item) => item.file && !item.row).map((item) => item.name),
    repeated: csv.repeated,
    columns: csv.unknown,
  };
}

const listed = (names) => names.slice(0, NAMED).join(", ") + (names.length > NAMED ? " …" : "");
