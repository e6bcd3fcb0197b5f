// Verifies the audit trail part by part, and shows the progress and every fault.

import { ask, byId } from "./session.js";
import { language, t } from "./words.js";

byId("verify").addEventListener("click", verify);

async function verify() {
  const button = byId("verify"), status = byId("proof"), faults = byId("faults");
  const chains = new Map(), totals = { events: 0, found: 0, trusted: true, keys: new Set(), sealed: "" };
  button.disabled = true;
  faults.replaceChildren();
  try {
    for (let cursor = ""; cursor !== null;) {
      const part = await ask("GET", `/v1/audit/verify${cursor && `?cursor=${encodeURIComponent(cursor)}`}`);
      addPart(part, chains, totals);
      faults.append(...part.wrong.map(faultLine));
      status.textContent = t("audit.verifying", { n: totals.events });
      cursor = part.next;
    }
    status.textContent = verdict(chains, totals);
    status.classList.toggle("problem", totals.found > 0);
  } catch (problem) {
    status.textContent = problem.message;
  } finally {
    button.disabled = false;
  }
}

function addPart(part, chains, totals) {
  for (const chain of part.chains) {
    totals.events += chain.events;
    chains.set(chain.chain, chain);
    if (chain.sealed_at > totals.sealed) totals.sealed = chain.sealed_at;
  }
  part.keys.forEach((key) => totals.keys.add(key));
  totals.found += part.found;
  totals.trusted &&= part.trusted;
}

function verdict(chains, totals) {
  const facts = { n: totals.events, m: chains.size, found: totals.found };
  const first = t(totals.found ? "audit.broken" : "audit.intact", facts);
  const seal = totals.sealed ? t("audit.sealed", { at: new Date(totals.sealed).toLocaleString(language) }) : t("audit.unsealed");
  return [first, seal, ...[...totals.keys].map((key) => t(totals.trusted ? "audit.key" : "audit.compare", { key }))].join(" ");
}

function faultLine(fault) {
  const line = document.createElement("li");
  line.textContent = fault.sentence;
  return line;
}
