// Dialogs are opened and closed by buttons that name them, also by those that come later.

import { byId } from "./session.js";

document.addEventListener("click", ({ target }) => {
  const opens = target.closest("[data-opens]"), closes = target.closest("[data-closes]");
  if (opens) byId(opens.dataset.opens).showModal();
  if (closes) closes.closest("dialog").close();
});
