// One player for all rows: the row that plays is marked, and its outline shows where.

import { source } from "./api.js";
import { by, say } from "./dom.js";

const audio = by("player");
let row = null;
let begins = 0;
let tried = "";

export const isPlaying = (other) => row === other && !audio.paused;

export async function play(other, from, form) {
  if (row && row !== other) {
    row.main.setAttribute("aria-pressed", "false");
    row.waveform.played = null;
    row.waveform.draw();
  }
  row = other;
  row.main.setAttribute("aria-pressed", "true");
  const { url, begins: offset } = source(row.hit, from, form);
  begins = offset;
  tried = form ?? "";
  const address = new URL(url, location.href).href;
  if (audio.src !== address) audio.src = address;
  audio.currentTime = from - begins;
  try {
    await audio.play();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!tried) return play(row, from, "wav"); // as the server can make it
    say(`${row.hit.path} cannot be played: its file is gone or damaged.`);
  }
}

export function toggle(other) {
  if (isPlaying(other)) audio.pause();
  else play(other, other.hit.start);
}

function follow() {
  if (!row) return;
  row.waveform.played = begins + audio.currentTime;
  row.waveform.draw();
  if (!audio.paused) requestAnimationFrame(follow);
}

audio.addEventListener("play", follow);
audio.addEventListener("seeked", follow);
for (const name of ["pause", "ended"]) {
  audio.addEventListener(name, () => row?.main.setAttribute("aria-pressed", "false"));
}
