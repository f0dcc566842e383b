// What the page asks of the server. A refusal is an Error with the server's own words; a missing key is asked for, once.

const locked = document.getElementById("locked");
const key = document.getElementById("key");
let unlocking = null;

function unlock() {
  unlocking ??= new Promise((resolve) => {
    locked.addEventListener("close", async () => {
      await fetch("v1/session", { method: "POST", headers: { Authorization: `Bearer ${key.value}` } });
      key.value = "";
      unlocking = null;
      resolve();
    }, { once: true });
    locked.showModal();
  });
  return unlocking;
}

export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is audiosearch serve still running?");
  }
  if (answer.status === 401) {
    await unlock();
    return ask(path, options);
  }
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.detail);
  return found;
}

export const post = (path, body, signal) => ask(path, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal,
});

// What browsers play as it is; anything else is made into wav, of which the server makes ten minutes at most.
const PLAYABLE = new Set(["wav", "mp3", "ogg", "flac", "m4a", "mp4", "webm"]);
const LONGEST = 600;

// The address of a sound, and the second of the file at which it begins.
export function source(hit, from, asked) {
  const whole = `v1/sounds/${hit.id}/audio`;
  if (asked !== "wav" && PLAYABLE.has(hit.format)) return { url: whole, begins: 0 };
  if (hit.duration <= LONGEST) return { url: `${whole}?as=wav`, begins: 0 };
  return { url: `${whole}?as=wav&start=${from}&end=${Math.min(hit.duration, from + LONGEST)}`, begins: from };
}
