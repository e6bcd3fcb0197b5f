// What every page can do: sign out, and leave for the sign-in page when the session has ended.

import { ask, byId, say } from "/static/session.js";

byId("sign-out")?.addEventListener("click", async () => {
  try {
    await ask("DELETE", "/v1/session");
    location.assign("/sign-in");
  } catch (problem) {
    if (problem.status === 401) location.assign("/sign-in");
    say(problem.message, true);
  }
});
