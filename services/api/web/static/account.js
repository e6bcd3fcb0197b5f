// One's own account: another password, an authenticator with its recovery codes, shown once.

import { ask, byId, say } from "./session.js";
import { t } from "./words.js";

on("password", changePassword);
on("remove", (told) => ask("POST", "/v1/session/totp/remove", { json: told }).then(() => location.reload()));
on("confirm", confirm);
byId("begin")?.addEventListener("click", begin);
byId("recovery").addEventListener("close", () => location.reload());
byId("copy-codes").hidden = !navigator.clipboard;
byId("copy-codes").addEventListener("click", async ({ target }) => {
  await navigator.clipboard.writeText([...byId("codes").children].map((each) => each.textContent).join("\n"));
  target.textContent = t("common.copied");
});

function on(id, step) {
  byId(id)?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target, button = form.querySelector("[type=submit]");
    button.disabled = true;
    say("");
    try {
      await step(Object.fromEntries(new FormData(/** @type {HTMLFormElement} */ (event.currentTarget))), form);
    } catch (problem) {
      complain(problem);
    } finally {
      button.disabled = false;
    }
  });
}

async function changePassword(told, form) {
  if (told.new !== byId("again").value) throw new Error(t("account.unlike"));
  const { csrf } = await ask("POST", "/v1/session/password", { json: told });
  document.querySelector("meta[name=csrf]").content = csrf;
  form.reset();
  complain({ message: t("account.changed") }, false);
}

async function begin() {
  try {
    const { secret, qr } = await ask("POST", "/v1/session/totp");
    byId("qr").src = qr;
    byId("totp-secret").textContent = secret.replace(/(.{4})(?=.)/g, "$1 ");
    byId("offer").hidden = true;
    byId("confirm").hidden = false;
    byId("code").focus();
  } catch (problem) {
    complain(problem);
  }
}

async function confirm(told) {
  const { recovery_codes: codes } = await ask("POST", "/v1/session/totp/confirm", { json: told });
  byId("codes").replaceChildren(...codes.map(item));
  byId("recovery").showModal();
}

function item(code) {
  const line = document.createElement("li");
  line.textContent = code;
  return line;
}

function complain({ message }, problem = true) {
  say(message, problem);
  byId("status").scrollIntoView({ block: "center" });
}
