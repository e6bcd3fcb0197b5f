// Opens and closes dialogs by buttons that name them, including buttons added later.

import { byId } from "./session.js";

document.addEventListener("click", ({ target }) => {
  const opens = target.closest("[data-opens]"), closes = target.closest("[data-closes]");
  if (opens) byId(opens.dataset.opens).showModal();
  if (closes) closes.closest("dialog").close();
});
