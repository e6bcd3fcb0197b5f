// Proves the trail part by part and says how far it is whole, or where it breaks.

import { ask, byId } from "./session.js";
import { language, t } from "./words.js";

byId("verify").addEventListener("click", prove);

async function prove() {
  const button = byId("verify"), said = byId("proof"), faults = byId("faults");
  const chains = new Map(), seen = { events: 0, found: 0, trusted: true, keys: new Set(), sealed: "" };
  button.disabled = true;
  faults.replaceChildren();
  try {
    for (let cursor = ""; cursor !== null;) {
      const part = await ask("GET", `/v1/audit/verify${cursor && `?cursor=${encodeURIComponent(cursor)}`}`);
      take(part, chains, seen);
      faults.append(...part.wrong.map(item));
      said.textContent = t("audit.proving", { n: seen.events });
      cursor = part.next;
    }
    said.textContent = verdict(chains, seen);
    said.classList.toggle("problem", seen.found > 0);
  } catch (problem) {
    said.textContent = problem.message;
  } finally {
    button.disabled = false;
  }
}

function take(part, chains, seen) {
  for (const each of part.chains) {
    seen.events += each.events;
    chains.set(each.chain, each);
    if (each.sealed_at > seen.sealed) seen.sealed = each.sealed_at;
  }
  part.keys.forEach((key) => seen.keys.add(key));
  seen.found += part.found;
  seen.trusted &&= part.trusted;
}

function verdict(chains, seen) {
  const facts = { n: seen.events, m: chains.size, found: seen.found };
  const first = t(seen.found ? "audit.broken" : "audit.whole", facts);
  const seal = seen.sealed ? t("audit.sealed", { at: new Date(seen.sealed).toLocaleString(language) }) : t("audit.unsealed");
  return [first, seal, ...[...seen.keys].map((key) => t(seen.trusted ? "audit.key" : "audit.compare", { key }))].join(" ");
}

function item(fault) {
  const line = document.createElement("li");
  line.textContent = fault.sentence;
  return line;
}
