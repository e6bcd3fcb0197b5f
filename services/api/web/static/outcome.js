// The form of a case's final diagnosis, on the worklist and on the page of a case.

import { ask, newKey } from "./session.js";
import { today } from "./times.js";

/** @typedef {{malignant: boolean, source: string, determined_on: string | null, consent: boolean}} Outcome */

// Fills the form with the recorded outcome; the patient's number is not known here.
/** @param {PageElement} form @param {Outcome | null} recorded */
export function fillOutcome(form, recorded) {
  const { determined_on, malignant, source, consent } = form.elements;
  determined_on.max = today();
  if (!recorded) return;
  malignant.value = String(recorded.malignant);
  source.value = recorded.source;
  determined_on.value = recorded.determined_on ?? "";
  consent.checked = recorded.consent;
}

function outcomeOf(form) {
  const { malignant, source, determined_on, patient, consent } = form.elements;
  return { malignant: malignant.value === "true", source: source.value, determined_on: determined_on.value || null, patient: patient.value.trim() || null, consent: consent.checked };
}

// Sends the outcome of a case. A repeat of the same values has the same key, other values have a new one.
export class OutcomeSender {
  sent = "";
  key = "";

  /** @param {string} caseId @param {PageElement} form */
  send(caseId, form) {
    const outcome = outcomeOf(form), content = JSON.stringify(outcome);
    if (this.sent !== content) {
      this.sent = content;
      this.key = newKey();
    }
    return ask("POST", `/v1/cases/${caseId}/outcome`, { json: outcome, headers: { "Idempotency-Key": this.key } });
  }
}
