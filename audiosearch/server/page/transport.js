// The bar at the foot of the page: what plays, where it is, and how it is played.

import { by, icon, time } from "./dom.js";
import { listenTo, outline, paint } from "./outline.js";
import { levelOf, moved, part, playing, seek, sound, toggle, trouble } from "./player.js";
import { flip, set, settings } from "./settings.js";
import { folderOf, nameOf } from "./sounds.js";

export const SPEEDS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2];

const [canvas, slider] = ["t-wave", "t-seek"].map(by);
let peaks = null;

function draw() {
  const hit = sound.value;
  if (!hit) return;
  const marked = part.value?.id === hit.id ? [part.value.start, part.value.end] : null;
  const whole = hit.start <= 0 && hit.end >= hit.duration;
  paint(canvas, { peaks, from: 0, to: hit.duration, hit: whole ? null : [hit.start, hit.end], part: marked, played: moved.value });
}

function place(second) {
  if (!sound.value) return;
  by("t-time").textContent = `${time(second)} / ${time(sound.value.duration)}`;
  slider.value = second;
  slider.setAttribute("aria-valuetext", `${time(second)} of ${time(sound.value.duration)}`);
  draw();
}

function show(hit) {
  by("transport").classList.toggle("idle", !hit);
  for (const control of by("transport").querySelectorAll("#t-play, #t-seek")) control.disabled = !hit;
  if (!hit) return;
  by("t-name").textContent = nameOf(hit);
  by("t-name").title = hit.path;
  by("t-folder").textContent = folderOf(hit);
  slider.max = hit.duration;
  peaks = null;
  outline(hit.id, (found) => {
    if (sound.value?.id !== hit.id) return;
    peaks = found;
    draw();
  });
  place(hit.start);
}

function press(id, pressed) {
  by(id).setAttribute("aria-pressed", pressed);
}

function showSettings({ loop, level, follow, speed, volume }) {
  press("t-loop", loop);
  press("t-level", level);
  press("t-follow", follow);
  by("t-speed").value = speed;
  by("t-volume").value = volume;
  showGain();
  draw();
}

// How far the level of this sound is moved.
function showGain() {
  const shift = sound.value && settings.value.level ? levelOf(sound.value) : 0;
  const known = sound.value && typeof sound.value.loudness === "number";
  by("t-gain").textContent = known && settings.value.level ? `${shift > 0 ? "+" : "−"}${Math.abs(shift).toFixed(1)} dB` : "";
}

export function setUpTransport({ step }) {
  for (const [id, name] of [["t-previous", "previous"], ["t-next", "next"], ["t-loop", "loop"], ["t-level", "level"],
    ["t-follow", "chain"]]) by(id).append(icon(name));
  by("t-volume").before(icon("volume"));
  by("t-speed").append(...SPEEDS.map((speed) => new Option(`${speed} ×`, speed)));
  by("t-play").onclick = () => toggle();
  by("t-previous").onclick = () => step(-1);
  by("t-next").onclick = () => step(1);
  by("t-loop").onclick = () => flip("loop");
  by("t-level").onclick = () => flip("level");
  by("t-follow").onclick = () => flip("follow");
  by("t-speed").onchange = () => set({ speed: Number(by("t-speed").value) });
  by("t-volume").oninput = () => set({ volume: Number(by("t-volume").value) });
  slider.oninput = () => seek(Number(slider.value));
  listenTo(canvas, () => [0, sound.value?.duration ?? 0], {
    onClick: (second) => sound.value && seek(second),
    onDrag: (start, end, isOver) => {
      const hit = sound.value;
      if (!hit) return;
      part.value = { id: hit.id, start, end };
      if (isOver) seek(start);
    },
  });
  sound.follow(show);
  sound.follow(showGain);
  moved.follow(place);
  part.follow(draw);
  playing.follow((is) => {
    by("t-play").replaceChildren(icon(is ? "pause" : "play"));
    by("t-play").setAttribute("aria-label", is ? "Pause" : "Play");
  });
  settings.follow(showSettings);
  trouble.follow((words) => {
    by("t-trouble").textContent = words ?? "";
  });
  new ResizeObserver(draw).observe(canvas);
}
