// The account page: change the password, set up an authenticator, show its recovery codes once.

import { ask, byId, say } from "./session.js";
import { t } from "./words.js";

onSubmit("password", changePassword);
onSubmit("remove", (fields) => ask("POST", "/v1/session/totp/remove", { json: fields }).then(() => location.reload()));
onSubmit("confirm", confirm);
byId("begin")?.addEventListener("click", beginTotp);
byId("recovery").addEventListener("close", () => location.reload());
byId("copy-codes").hidden = !navigator.clipboard;
byId("copy-codes").addEventListener("click", async ({ target }) => {
  await navigator.clipboard.writeText([...byId("codes").children].map((code) => code.textContent).join("\n"));
  target.textContent = t("common.copied");
});

// Runs `step` with the fields of the form when it is submitted.
function onSubmit(id, step) {
  byId(id)?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target, button = form.querySelector("[type=submit]");
    button.disabled = true;
    say("");
    try {
      await step(Object.fromEntries(new FormData(/** @type {HTMLFormElement} */ (event.currentTarget))), form);
    } catch (problem) {
      showMessage(problem);
    } finally {
      button.disabled = false;
    }
  });
}

async function changePassword(fields, form) {
  if (fields.new !== byId("again").value) throw new Error(t("account.mismatch"));
  const { csrf } = await ask("POST", "/v1/session/password", { json: fields });
  document.querySelector("meta[name=csrf]").content = csrf;
  form.reset();
  showMessage({ message: t("account.changed") }, false);
}

async function beginTotp() {
  try {
    const { secret, qr } = await ask("POST", "/v1/session/totp");
    byId("qr").src = qr;
    byId("totp-secret").textContent = secret.replace(/(.{4})(?=.)/g, "$1 ");
    byId("offer").hidden = true;
    byId("confirm").hidden = false;
    byId("code").focus();
  } catch (problem) {
    showMessage(problem);
  }
}

async function confirm(fields) {
  const { recovery_codes: codes } = await ask("POST", "/v1/session/totp/confirm", { json: fields });
  byId("codes").replaceChildren(...codes.map(item));
  byId("recovery").showModal();
}

function item(code) {
  const line = document.createElement("li");
  line.textContent = code;
  return line;
}

function showMessage({ message }, problem = true) {
  say(message, problem);
  byId("status").scrollIntoView({ block: "center" });
}
