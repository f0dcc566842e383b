// What the page asks of the server. A refusal is a `Refusal` with the server's own words; a missing key is asked for
// until the server knows it; a server that does not answer is looked for until it does.

import { by } from "./dom.js";
import { signal } from "./signal.js";

const LOOK = 2000; // ms between two looks for a server that is gone

export const online = signal(true);

// The server answered, and not with what was asked for. `code` is stable.
class Refusal extends Error {
  constructor(status, { detail, code } = {}) {
    super(detail ?? `The server answers ${status}.`);
    this.status = status;
    this.code = code;
  }
}

// Nobody answered.
export class Away extends Error {
  constructor() {
    super("The server does not answer. Is audiosearch serve still running?");
  }
}

// Whether an error says that this server is older than the page, and has no such address.
export const isMissing = (error) =>
  error instanceof Refusal && (error.status === 405 || (error.status === 404 && error.code === "not-found"));

async function reach(path, options) {
  try {
    const answer = await fetch(path, options);
    online.value = true;
    return answer;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (online.value) setTimeout(look, LOOK);
    online.value = false;
    throw new Away();
  }
}

async function look() {
  if (online.value) return;
  try {
    await fetch("healthz");
    online.value = true;
  } catch {
    setTimeout(look, LOOK);
  }
}

let unlocking = null;

// Resolves when the server has taken a key.
function unlock() {
  unlocking ??= new Promise((resolve) => {
    const [dialog, key, wrong] = ["locked", "key", "wrong"].map(by);
    wrong.textContent = "";
    dialog.oncancel = (event) => event.preventDefault();
    dialog.querySelector("form").onsubmit = async (event) => {
      event.preventDefault();
      try {
        const headers = { Authorization: `Bearer ${key.value}` };
        const answer = await reach("v1/session", { method: "POST", headers });
        if (!answer.ok) throw new Refusal(answer.status, await answer.json());
        dialog.close();
        key.value = wrong.textContent = "";
        unlocking = null;
        resolve();
      } catch (error) {
        wrong.textContent = error.status === 401 ? "The server does not know this key." : error.message;
        key.select();
      }
    };
    dialog.showModal();
  });
  return unlocking;
}

// The answer itself.
export async function fetched(path, options = {}) {
  const answer = await reach(path, options);
  if (answer.status === 401) {
    await unlock();
    return fetched(path, options);
  }
  if (!answer.ok) throw new Refusal(answer.status, await answer.json().catch(() => ({})));
  return answer;
}

// What the answer holds; null where it holds nothing.
export async function ask(path, options = {}) {
  const answer = await fetched(path, options);
  return answer.status === 204 ? null : answer.json();
}

export function send(method, path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
}

export const post = (path, body, signal) => send("POST", path, body, signal);

// What `path` answers, or `otherwise` where this server has no such address.
export async function askIfThere(path, otherwise) {
  try {
    return await ask(path);
  } catch (error) {
    if (isMissing(error)) return otherwise;
    throw error;
  }
}
