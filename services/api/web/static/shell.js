// On every page: sign out, go to the sign-in page when the session has ended, install as an app on a phone.

import { ask, byId, say } from "./session.js";
import "./times.js";

const signOut = byId("sign-out");
signOut?.addEventListener("click", async () => {
  try {
    await ask("DELETE", "/v1/session");
    location.assign("/sign-in");
  } catch (problem) {
    if (problem.status === 401) location.assign("/sign-in");
    say(problem.message, true);
  }
});
// Enabled only now that the click is handled.
if (signOut) signOut.disabled = false;

// Without a service worker, as in a private window, only the offline page is missing.
navigator.serviceWorker?.register("/service-worker.js").catch(() => null);
