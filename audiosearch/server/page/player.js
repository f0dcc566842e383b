// One player for the whole page. What it plays, and whether it does, are signals; a part that is marked is one too.
//
// Loudness is matched before the volume: the gain brings a sound to -23 LUFS (EBU R 128), and no further up than its peak
// allows, so that nothing clips.

import { fetched } from "./api.js";
import { by } from "./dom.js";
import { settings } from "./settings.js";
import { signal } from "./signal.js";
import { nameOf, source } from "./sounds.js";

const TARGET = -23; // LUFS
const HEADROOM = -1; // dBFS, the highest that a raised sound's peak may be

const audio = by("player");
export const sound = signal(null); // the hit in the player
export const playing = signal(false);
export const part = signal(null); // {id, start, end}: what is marked, of one sound at a time
export const moved = signal(0); // the second that is heard
export const trouble = signal(null); // what is wrong with the sound in the player
export const ended = signal(0); // counts sounds that came to their end

let begins = 0;
let form;
let gain = null;

// The gain for a sound in dB; 0 where its loudness is not known.
export function levelOf({ loudness, peak }) {
  if (loudness === null || loudness === undefined) return 0;
  return Math.min(TARGET - loudness, HEADROOM - (peak ?? 0));
}

function setUp() {
  if (!gain) {
    const context = new AudioContext();
    gain = context.createGain();
    context.createMediaElementSource(audio).connect(gain).connect(context.destination);
  }
  gain.context.resume();
  tune();
}

function tune() {
  const { level, speed, volume, pitch } = settings.value;
  audio.volume = volume;
  audio.preservesPitch = pitch;
  audio.playbackRate = audio.defaultPlaybackRate = speed;
  if (gain) gain.gain.value = level && sound.value ? 10 ** (levelOf(sound.value) / 20) : 1;
}
settings.follow(tune);

// What is looped: the part that is marked, or else where the sound is heard.
function looped() {
  const { id, start, end } = sound.value;
  const marked = part.value?.id === id ? part.value : null;
  return marked ? [marked.start, marked.end] : [start, end];
}

export async function play(hit, from = hit.start, made = undefined) {
  sound.value = hit;
  trouble.value = null;
  form = made;
  const { url, begins: offset } = source(hit, from, form);
  begins = offset;
  const address = new URL(url, location.href).href;
  if (audio.src !== address) audio.src = address;
  setUp();
  audio.currentTime = from - begins;
  moved.value = from;
  try {
    await audio.play();
  } catch (error) {
    if (error.name === "AbortError" || sound.value !== hit) return;
    if (!form) play(hit, from, "wav"); // as the server can make it
    else trouble.value = await reason(hit, url);
  }
}

async function reason(hit, url) {
  try {
    await fetched(url, { method: "HEAD" });
    return `This browser cannot play ${nameOf(hit)}.`;
  } catch (error) {
    // The head of a refusal has no words in it.
    if (error.status === undefined) return error.message;
    const words = await fetched(url).then(() => null, (refusal) => refusal.message);
    return `${nameOf(hit)} cannot be played: ${words ?? error.message}`;
  }
}

export const pause = () => audio.pause();
const isPlaying = (id) => playing.value && sound.value?.id === id;

export function toggle(hit = sound.value) {
  if (!hit) return;
  if (isPlaying(hit.id)) pause();
  else if (hit.id === sound.value?.id && audio.src && !audio.ended) {
    setUp();
    play(hit, begins + audio.currentTime, form);
  } else play(hit);
}

// Silence; the next play begins where the sound is heard.
export function stop() {
  pause();
  if (!sound.value) return;
  audio.currentTime = Math.max(0, sound.value.start - begins);
  moved.value = sound.value.start;
}

export function seek(second) {
  const hit = sound.value;
  if (!hit) return;
  const to = Math.min(Math.max(0, second), Math.max(0, hit.duration - 0.01));
  if (begins && (to < begins || to > begins + audio.duration)) play(hit, to, form);
  else audio.currentTime = to - begins;
  moved.value = to;
}

function follow() {
  if (!sound.value) return;
  moved.value = begins + audio.currentTime;
  if (settings.value.loop) {
    const [from, to] = looped();
    if (moved.value >= to) seek(from);
  }
  if (!audio.paused) requestAnimationFrame(follow);
}

audio.addEventListener("play", () => {
  playing.value = true;
  follow();
});
audio.addEventListener("pause", () => {
  playing.value = false;
});
audio.addEventListener("ended", () => {
  playing.value = false;
  if (settings.value.loop) play(sound.value, looped()[0], form);
  else ended.value += 1;
});
