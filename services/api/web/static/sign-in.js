// The sign-in page: name and password, the authenticator's code where one is asked for, a password of one's own.

import { ask, byId, say, who } from "./session.js";
import { t } from "./words.js";

const enter = byId("enter"), change = byId("change");
/** @type {string | null} */
let csrf = null;

enter.addEventListener("submit", (event) => { event.preventDefault(); attempt(enter, signIn); });
change.addEventListener("submit", (event) => { event.preventDefault(); attempt(change, choose); });
who().then((person) => person && welcome(person));

async function attempt(form, step) {
  const missing = [...form.querySelectorAll("input")].find((input) => !input.checkValidity());
  if (missing) { missing.focus(); return say(t("sign_in.missing", { field: missing.labels[0].textContent }), true); }
  const button = form.querySelector("button");
  button.disabled = true;
  say("");
  try {
    welcome(await step());
  } catch (problem) {
    say(problem.message, true);
    if (problem.code === "totp-needed") wantCode();
  } finally {
    button.disabled = false;
  }
}

function signIn() {
  const told = { name: byId("name").value, password: byId("password").value };
  const totp = byId("code").value.trim();
  return ask("POST", "/v1/session", { json: totp ? { ...told, totp } : told });
}

async function choose() {
  if (byId("new").value !== byId("again").value) throw new Error(t("sign_in.unlike"));
  return ask("POST", "/v1/session/password", { json: { old: byId("old").value, new: byId("new").value }, csrf });
}

function wantCode() {
  byId("second").hidden = false;
  byId("code").required = true;
  byId("code").focus();
}

function welcome(person) {
  if (!person.must_change) return location.replace(wanted());
  csrf = person.csrf;
  byId("old").value = byId("password").value;
  byId("known").value = person.name;
  enter.hidden = true;
  change.hidden = false;
  byId(byId("old").value ? "new" : "old").focus();
  say(t("sign_in.one_time"));
}

// Where the person was going, if that is a page of ours.
function wanted() {
  const next = new URL(new URLSearchParams(location.search).get("next") ?? "/", location.origin);
  return next.origin === location.origin ? next.href : "/";
}
