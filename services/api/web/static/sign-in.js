// The sign-in page: name and password, the authenticator's code if needed, and a new password after a one-time password.

import { ask, byId, say, currentSession } from "./session.js";
import { t } from "./words.js";

const signInForm = byId("enter"), changeForm = byId("change");
/** @type {string | null} */
let csrf = null;

signInForm.addEventListener("submit", (event) => { event.preventDefault(); attempt(signInForm, signIn); });
changeForm.addEventListener("submit", (event) => { event.preventDefault(); attempt(changeForm, changePassword); });
currentSession().then((person) => person && proceed(person));

async function attempt(form, step) {
  const missing = [...form.querySelectorAll("input")].find((input) => !input.checkValidity());
  if (missing) { missing.focus(); return say(t("sign_in.missing", { field: missing.labels[0].textContent }), true); }
  const button = form.querySelector("button");
  button.disabled = true;
  say("");
  try {
    proceed(await step());
  } catch (problem) {
    say(problem.message, true);
    if (problem.code === "totp-needed") askForCode();
  } finally {
    button.disabled = false;
  }
}

function signIn() {
  const credentials = { name: byId("name").value, password: byId("password").value };
  const totp = byId("code").value.trim();
  return ask("POST", "/v1/session", { json: totp ? { ...credentials, totp } : credentials });
}

async function changePassword() {
  if (byId("new").value !== byId("again").value) throw new Error(t("sign_in.mismatch"));
  return ask("POST", "/v1/session/password", { json: { old: byId("old").value, new: byId("new").value }, csrf });
}

function askForCode() {
  byId("second").hidden = false;
  byId("code").required = true;
  byId("code").focus();
}

function proceed(person) {
  if (!person.must_change) return location.replace(nextUrl());
  csrf = person.csrf;
  byId("old").value = byId("password").value;
  byId("known").value = person.name;
  signInForm.hidden = true;
  changeForm.hidden = false;
  byId(byId("old").value ? "new" : "old").focus();
  say(t("sign_in.one_time"));
}

// The page that the person requested, if it is one of this site.
function nextUrl() {
  const next = new URL(new URLSearchParams(location.search).get("next") ?? "/", location.origin);
  return next.origin === location.origin ? next.href : "/";
}
