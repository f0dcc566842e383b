// Outlines of sounds: fetched few at a time, kept, and painted on canvases. Small ones are scaled to their own peak, or a
// quiet sound were a flat line. wavesurfer.js would do this and more in 40 KB.

import { ask } from "./api.js";
import { settings } from "./settings.js";

const COLUMNS = 300;
const KEPT = 600;
const AT_ONCE = 4;

const kept = new Map();
const queue = [];
let running = 0;

function work() {
  while (running < AT_ONCE && queue.length) {
    const { id, ready, isWanted } = queue.pop(); // the last one asked for is on the screen
    if (!isWanted()) continue;
    running += 1;
    ask(`v1/sounds/${id}/peaks?columns=${COLUMNS}`)
      .catch(() => null) // a file that is gone has no outline, and its row still says where it was
      .then((peaks) => {
        kept.set(id, peaks);
        if (kept.size > KEPT) kept.delete(kept.keys().next().value);
        running -= 1;
        ready(peaks);
        work();
      });
  }
}

// Call `ready` with the outline of a sound, at once or later; never, where `isWanted` says no by then.
export function outline(id, ready, isWanted = () => true) {
  if (kept.has(id)) return ready(kept.get(id));
  if (queue.length > KEPT) queue.splice(0, KEPT / 2);
  queue.push({ id, ready, isWanted });
  return work();
}

let colours = null;
const forget = () => {
  colours = null;
};
settings.follow(forget);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", forget);

function palette() {
  if (!colours) {
    const style = getComputedStyle(document.documentElement);
    const get = (name) => style.getPropertyValue(`--${name}`).trim();
    colours = { wave: get("wave"), lit: get("wave-lit"), hit: get("hit"), part: get("part"), played: get("accent") };
  }
  return colours;
}

// Paint seconds `from` to `to`. `hit` and `part` are [start, end] or null, `played` a second or null.
export function paint(canvas, { peaks, from, to, hit, part, played, even = true }) {
  const ratio = Math.min(2, devicePixelRatio);
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (!width || !height) return;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  const { wave, lit, hit: ground, part: marked, played: mark } = palette();
  const x = (second) => ((second - from) / (to - from)) * width;
  const band = ([start, end], colour) => {
    pen.fillStyle = colour;
    pen.fillRect(x(start), 0, Math.max(2, x(end) - x(start)), height);
  };
  if (hit) band(hit, ground);
  if (part) band(part, marked);
  if (peaks) drawPeaks(pen, peaks, { x, width, height, wave, lit, hit, even });
  else {
    pen.fillStyle = wave;
    pen.fillRect(0, height / 2, width, 1);
  }
  if (played !== null && played !== undefined) {
    pen.fillStyle = mark;
    pen.fillRect(Math.round(x(played)) - ratio / 2, 0, Math.max(1, 1.5 * ratio), height);
  }
}

function drawPeaks(pen, peaks, { x, width, height, wave, lit, hit, even }) {
  const { low, high, start, seconds } = peaks;
  let top = 127;
  if (even) {
    top = 1;
    for (let i = 0; i < low.length; i++) top = Math.max(top, high[i], -low[i]);
  }
  const middle = height / 2;
  const scale = (middle - 1) / top;
  const step = Math.max(1, x(seconds) - x(0));
  for (let i = 0; i < low.length; i++) {
    const left = x(start + i * seconds);
    if (left + step < 0) continue;
    if (left > width) break;
    const second = start + (i + 0.5) * seconds;
    pen.fillStyle = hit && second >= hit[0] && second <= hit[1] ? lit : wave;
    const upper = middle - high[i] * scale;
    pen.fillRect(left, upper, Math.max(1, step - 0.3), Math.max(1, (high[i] - low[i]) * scale));
  }
}

const DRAGGED = 4; // pixels: less is a click

// Let a canvas take clicks, as `onClick(second)`, and drags, as `onDrag(from, to, isOver)`. `range()` gives the seconds
// that it shows.
export function listenTo(canvas, range, { onClick, onDrag }) {
  let from = null;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const [start, end] = range();
    return start + Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * (end - start);
  };
  const part = (event) => [from.second, at(event)].sort((a, b) => a - b);
  canvas.addEventListener("mousedown", (event) => event.preventDefault()); // or the row is dragged
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    from = { x: event.clientX, second: at(event), far: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    from.far ||= Math.abs(event.clientX - from.x) >= DRAGGED;
    if (from.far) onDrag(...part(event), false);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!from) return;
    if (from.far) onDrag(...part(event), true);
    else onClick(at(event));
    from = null;
  });
  canvas.addEventListener("pointercancel", () => {
    from = null;
  });
}
