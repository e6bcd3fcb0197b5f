// What every page can do: sign out, leave for the sign-in page when the session has ended, be a phone's app.

import { ask, byId, say } from "./session.js";
import "./times.js";

const leave = byId("sign-out");
leave?.addEventListener("click", async () => {
  try {
    await ask("DELETE", "/v1/session");
    location.assign("/sign-in");
  } catch (problem) {
    if (problem.status === 401) location.assign("/sign-in");
    say(problem.message, true);
  }
});
// Not before it is heard.
if (leave) leave.disabled = false;

// Without it, as in a private window, a page is the same, save for what it says when there is no network.
navigator.serviceWorker?.register("/service-worker.js").catch(() => null);
