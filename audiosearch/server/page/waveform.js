// The outline of a sound on a canvas: the range that matches lit, a part that was dragged over marked, a line where it
// plays. wavesurfer.js would do this and more in 40 KB and with a build step; these are 60 lines.

import { ask } from "./api.js";

const COLUMNS = 600;
const DRAGGED = 4; // pixels: less is a click

export class Waveform {
  constructor(hit, { onPlay, onSelect }) {
    this.hit = hit;
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true"); // the row's button says and does the same
    this.played = null;
    this.part = null;
    let from = null;
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * hit.duration;
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // or the row is dragged
      from = { x: event.clientX, second: at(event) };
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!from || Math.abs(event.clientX - from.x) < DRAGGED) return;
      this.part = [from.second, at(event)].sort((a, b) => a - b);
      this.draw();
    });
    this.canvas.addEventListener("pointerup", (event) => {
      if (!from) return;
      if (Math.abs(event.clientX - from.x) < DRAGGED) {
        this.part = null;
        this.draw();
        onPlay(at(event));
      } else onSelect(this.part);
      from = null;
    });
  }

  async load() {
    try {
      this.peaks = await ask(`v1/sounds/${this.hit.id}/peaks?columns=${COLUMNS}`);
    } catch {
      return; // a file that is gone has no outline, and its row still says where it was
    }
    this.draw();
  }

  draw() {
    const { canvas, hit, peaks } = this;
    const width = canvas.width = canvas.clientWidth * devicePixelRatio;
    const height = canvas.height = canvas.clientHeight * devicePixelRatio;
    const colour = getComputedStyle(canvas);
    const paint = canvas.getContext("2d");
    const x = (second) => (second / hit.duration) * width;
    paint.fillStyle = colour.getPropertyValue("--lit");
    paint.fillRect(x(hit.start), 0, Math.max(2, x(hit.end) - x(hit.start)), height);
    if (this.part) {
      paint.fillStyle = colour.getPropertyValue("--part");
      paint.fillRect(x(this.part[0]), 0, x(this.part[1]) - x(this.part[0]), height);
    }
    paint.fillStyle = colour.color;
    for (let i = 0; peaks && i < peaks.low.length; i++) {
      const left = x(peaks.start + i * peaks.seconds);
      const top = (1 - peaks.high[i] / 127) * height / 2;
      const bottom = (1 - peaks.low[i] / 127) * height / 2;
      paint.fillRect(left, top, Math.max(1, x(peaks.seconds) - 0.5), Math.max(1, bottom - top));
    }
    if (this.played !== null) {
      paint.fillStyle = colour.getPropertyValue("--mark");
      paint.fillRect(x(this.played) - 1, 0, 2, height);
    }
  }
}
