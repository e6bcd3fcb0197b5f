// Who has signed in, for every page. The session itself is in a cookie that no script can read.

export const byId = (id) => document.getElementById(id);
export const say = (text, problem = false) => { byId("status").textContent = text; byId("status").classList.toggle("problem", problem); };
const AWAY = "SERA does not answer. Check the network and try again; nothing was lost.";

export class Problem extends Error {
  constructor(told) { super(told.detail); this.code = told.code; }
}

// Raises Problem, with the next step as its message.
export async function ask(method, path, { json, csrf } = {}) {
  const headers = { ...(json && { "Content-Type": "application/json" }), ...(csrf && { "X-CSRF-Token": csrf }) };
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: json && JSON.stringify(json) });
  } catch {
    throw new Problem({ detail: AWAY });
  }
  const told = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Problem(told);
  return told;
}

// Null if nobody has.
export async function who() {
  try {
    return await ask("GET", "/v1/session");
  } catch {
    return null;
  }
}
