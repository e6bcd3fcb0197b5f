// The images of a batch as rows of a table, and the warnings before sending.

import { normalizedName } from "./batch-csv.js";
import { riskPercent } from "./risks.js";
import { byId } from "./session.js";
import { parseSize, isUnusual } from "./sizes.js";
import { t } from "./words.js";

export const FINAL = ["done", "failed", "cancelled"];
const COLOURS = { refused: "bad", failed: "bad", unsized: "warn", unreadable: "warn", too_large: "warn", duplicate: "warn", busy: "warn" };
const MAX_NAMES = 5;

// A typed size in mm; unchanged if it is not a size.
export const formatSize = (typed) => (parseSize(typed) === null ? typed : t("common.mm", { value: parseSize(typed) }));

// An image of the batch: `phase` is the state of its upload, `line` its case in the worklist.
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

  /** @param {{file?: File | null, digest?: string | null, key?: string | null, caseId?: string | null, maxBytes?: number, original?: Item | null}} options */
  constructor({ file = null, digest = null, key = null, caseId = null, maxBytes = Infinity, original = null }) {
    this.file = file;
    this.digest = digest;
    this.key = key;
    this.caseId = caseId;
    this.original = original;
    this.isTooLarge = file !== null && file.size > maxBytes;
  }

  get name() { return this.file?.name ?? `${t("batch.earlier")} (${this.line?.external_id ?? this.caseId?.slice(0, 8)})`; }
  get mm() { return parseSize(this.size); }

  get state() {
    if (this.caseId) return this.line?.state ?? "sent";
    if (this.phase) return this.phase;
    if (this.original) return "duplicate";
    if (this.isTooLarge) return "too_large";
    return this.size.trim() === "" ? "unsized" : this.mm === null ? "unreadable" : "ready";
  }

  get isFinal() { return FINAL.includes(this.state); }
  get isEditable() { return !this.caseId && (this.phase === null || this.phase === "refused"); }
}

/**
 * Adds a row for an item. `retry` and `remove` are the actions of its buttons; `edited` is normalizedName with a new size.
 *
 * @param {Item} item
 * @param {Record<"retry" | "remove" | "edited", (item: Item) => void>} actions
 */
export function place(item, { retry, remove, edited }) {
  const copy = /** @type {DocumentFragment} */ (byId("row").content.cloneNode(true));
  item.place = /** @type {PageElement} */ (copy.firstElementChild);
  const input = item.place.querySelector("input");
  input.addEventListener("input", () => { item.size = input.value; edited(item); });
  input.addEventListener("change", () => { item.size = formatSize(item.size); edited(item); });
  input.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); focusNext(input); } });
  item.place.querySelector(".retry").addEventListener("click", () => { item.place.focus(); retry(item); });
  item.place.querySelector(".remove").addEventListener("click", () => remove(item));
  document.querySelector("#table tbody").append(item.place);
}

/** @param {Item} item */
export function paint(item) {
  const part = (name) => item.place.querySelector(name);
  const { state } = item;
  part(".name").textContent = item.name;
  part(".more").textContent = details(item);
  part(".caution").textContent = (item.line?.statement?.cautions ?? []).map((code) => t(`common.caution.${code}`)).join(" · ");
  paintSize(item, part("input"), part(".odd"));
  part(".badge").textContent = result(item) ?? stateText(item, state);
  part(".badge").className = `badge ${item.line?.statement?.tone ?? COLOURS[state] ?? ""}`;
  part("p.problem").textContent = state === "refused" ? item.problem?.message ?? "" : state === "failed" ? item.line?.message ?? "" : "";
  paintLinks(item, part, state);
}

function paintSize(item, input, warning) {
  const size = item.line ? t("common.mm", { value: item.line.size_mm }) : item.size;
  if (document.activeElement !== input || item.line) input.value = size;
  input.disabled = !item.isEditable;
  input.hidden = ["duplicate", "too_large"].includes(item.state);
  input.setAttribute("aria-label", t("batch.size_of", { file: item.name }));
  input.toggleAttribute("aria-invalid", item.state === "unreadable");
  warning.textContent = item.isEditable && item.mm !== null && isUnusual(item.mm) ? t("batch.unusual", { mm: item.mm }) : "";
}

function paintLinks(item, part, state) {
  part(".open").hidden = !item.caseId;
  part(".retry").hidden = state !== "refused";
  part(".remove").hidden = !item.isEditable;
  for (const name of [".open", ".retry", ".remove"]) part(name).setAttribute("aria-label", `${part(name).textContent}: ${item.name}`);
  if (item.caseId) part(".open").href = `/cases/${item.caseId}`;
  part(".twin").hidden = !item.duplicate;
  if (item.duplicate) Object.assign(part(".twin a"), { href: `/cases/${item.duplicate}`, textContent: t("batch.known_image") });
}

function stateText(item, state) {
  if (item.line) return t(`common.state.${state}`);
  return t(`batch.state.${state}`, { file: item.original?.name });
}

function result(item) {
  if (item.line?.withheld) return t("common.own_level_first");
  const statement = item.line?.statement;
  if (!statement) return null;
  if (!statement.answered) return t("batch.no_answer");
  return [statement.level, t(`common.fna.${statement.fna}`), t("batch.risk", { risk: riskText(statement) }), t(`common.side.${statement.side}`)].filter(Boolean).join(" · ");
}

/** The risk with its interval, if it has one. */
function riskText(statement) {
  const interval = statement.risk_interval?.map(riskPercent);
  return interval ? `${riskPercent(statement.risk)} ${t("common.risk_interval", { low: interval[0], high: interval[1] })}` : riskPercent(statement.risk);
}

function details(item) {
  const row = item.row ?? {};
  return [row.external_id, row.priority === "urgent" && t("batch.urgent"), row.roi && t("batch.with_roi")].filter(Boolean).join(" · ");
}

function focusNext(input) {
  const inputs = [...document.querySelectorAll("#table input:enabled")];
  (inputs[inputs.indexOf(input) + 1] ?? byId("send")).focus();
}

/**
 * Warnings that a person should read before sending.
 *
 * @param {Item[]} items
 * @param {import("./batch-csv.js").Csv | null} csv
 */
export function checks(items, csv) {
  if (items.length > 0 && items.every((item) => item.original || !item.isEditable)) return [];
  const open = items.filter((item) => item.isEditable && item.phase === null);
  const namesIn = (state) => open.filter((item) => item.state === state).map((item) => item.name);
  const warnings = Object.fromEntries(["unsized", "unreadable", "too_large", "duplicate"].map((state) => [state, namesIn(state)]));
  warnings.unusual = open.filter((item) => item.state === "ready" && isUnusual(item.mm)).map((item) => `${item.name} (${t("common.mm", { value: item.mm })})`);
  const shownWarnings = Object.entries({ ...warnings, ...(csv && items.length > 0 && compareWithCsv(items, csv)) }).filter(([, names]) => names.length > 0);
  return shownWarnings.map(([check, names]) => t(`batch.check.${check}`, { n: names.length, names: nameList(names) }));
}

function compareWithCsv(items, csv) {
  const fileNames = new Set(items.filter((item) => item.file).map((item) => normalizedName(item.file.name)));
  return {
    rows: [...csv.rows].filter(([name]) => !fileNames.has(name)).map(([, row]) => row.file),
    files: items.filter((item) => item.file && !item.row).map((item) => item.name),
    repeated: csv.repeated,
    columns: csv.unknown,
    refused: csv.refused,
  };
}

const nameList = (names) => names.slice(0, MAX_NAMES).join(", ") + (names.length > MAX_NAMES ? " …" : "");
