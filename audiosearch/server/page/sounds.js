// Addresses and names of sounds.

import { split } from "./dom.js";
import { signal } from "./signal.js";

// What browsers play as it is; anything else is made into wav, of which the server makes ten minutes at most.
const PLAYABLE = new Set(["wav", "mp3", "ogg", "flac", "m4a", "mp4", "webm"]);
const LONGEST = 600;

// The folders of the library, to show paths below them.
export const roots = signal([]);

export const nameOf = (sound) => split(sound.path)[1];

// The folder of a sound below the library's, which says more than the whole path.
export function folderOf({ path }) {
  const [folder] = split(path);
  const root = roots.value.find(({ path: root }) => folder === root || folder.startsWith(`${root}/`) || folder.startsWith(`${root}\\`));
  if (!root) return folder;
  const above = split(root.path)[1] || root.path;
  return folder === root.path ? above : roots.value.length > 1 ? above + folder.slice(root.path.length) : folder.slice(root.path.length + 1);
}

export const link = (sound) => new URL(`v1/sounds/${sound.id}/audio`, location.href).href;

// The address to play, and the second of the file at which it begins.
export function source(sound, from, form) {
  const whole = `v1/sounds/${sound.id}/audio`;
  if (form !== "wav" && PLAYABLE.has(sound.format)) return { url: whole, begins: 0 };
  if (sound.duration <= LONGEST) return { url: `${whole}?as=wav`, begins: 0 };
  return { url: `${whole}?as=wav&start=${from}&end=${Math.min(sound.duration, from + LONGEST)}`, begins: from };
}

// The address of a part as wav.
export const partLink = (id, from, to) =>
  `v1/sounds/${id}/audio?as=wav&start=${from.toFixed(3)}&end=${to.toFixed(3)}&download=true`;

// A sound that was not searched for, as the list shows it.
export const asHit = (sound) => ({ copies: [], why: [], score: null, start: 0, end: sound.duration ?? 0, ...sound });

export const kilohertz = (rate) => `${+(rate / 1000).toFixed(1)} kHz`;
export const channelsOf = (count) => ({ 1: "mono", 2: "stereo", 6: "5.1", 8: "7.1" })[count] ?? `${count} ch`;
