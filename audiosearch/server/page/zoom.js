// Waveform and spectrogram of one sound over one axis of time, which can be zoomed and moved: wheel or + and -, shift and
// wheel or the arrows. A drag marks a part.

import { ask } from "./api.js";
import { later } from "./dom.js";
import { listenTo, outline, paint } from "./outline.js";
import { moved, part, sound } from "./player.js";
import { settings } from "./settings.js";
import { spectrogram } from "./spectrogram.js";

const SHORTEST = 0.05; // seconds that are seen at the closest
const QUIET = 180; // ms without a movement before finer pictures are asked for
const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600];

export class Zoom {
  // `canvases`: {wave, picture, axis}; `does`: {play(second), mark(start, end, isOver)}.
  constructor({ wave, picture, axis }, does) {
    Object.assign(this, { wave, picture, axis, hit: null, from: 0, to: 1, peaks: null, fine: null, image: null, noImage: false });
    for (const canvas of [wave, picture]) {
      listenTo(canvas, () => [this.from, this.to], { onClick: does.play, onDrag: does.mark });
      canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    }
    this.refine = later(QUIET, () => this.load());
    for (const one of [moved, part]) one.follow(() => this.draw());
    new ResizeObserver(() => this.draw()).observe(wave);
    settings.follow(() => this.repaint());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.repaint());
  }

  show(hit) {
    this.hit = hit;
    [this.from, this.to] = [0, Math.max(hit.duration, SHORTEST)];
    this.peaks = this.fine = this.image = null;
    outline(hit.id, (peaks) => {
      if (this.hit?.id !== hit.id) return;
      this.peaks = peaks;
      this.draw();
    });
    this.draw();
    this.refine();
  }

  repaint() {
    this.image = null;
    this.draw();
    if (this.hit) this.refine();
  }

  async load() {
    const { hit, from, to } = this;
    if (!hit || !this.wave.clientWidth) return;
    this.loading?.abort();
    this.loading = new AbortController();
    const { signal } = this.loading;
    const columns = Math.max(64, Math.min(2048, Math.round(this.wave.clientWidth * Math.min(2, devicePixelRatio))));
    const still = () => this.hit === hit && !signal.aborted;
    try {
      if (to - from < hit.duration - 1e-6) {
        const fine = await ask(`v1/sounds/${hit.id}/peaks?columns=${columns}&start=${from.toFixed(3)}&end=${to.toFixed(3)}`, { signal });
        if (still()) this.fine = { ...fine, from, to };
        this.draw();
      } else this.fine = null;
      if (this.noImage) return;
      const image = await spectrogram(hit.id, from, to, columns, this.isDark(), signal);
      if (!still()) return;
      this.noImage = image === null;
      this.picture.hidden = this.noImage;
      this.image = image;
      this.draw();
    } catch (error) {
      if (error.name !== "AbortError" && still()) this.image = null; // gone or damaged: the player says so when it is played
    }
  }

  isDark() {
    const { theme } = settings.value;
    return theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  }

  // Show fewer seconds (factor below 1) or more, around `middle`.
  zoom(factor, middle = (this.from + this.to) / 2) {
    const length = Math.min(this.hit.duration, Math.max(SHORTEST, (this.to - this.from) * factor));
    const share = (middle - this.from) / (this.to - this.from);
    this.go(middle - share * length, length);
  }

  pan(share) {
    const length = this.to - this.from;
    this.go(this.from + share * length, length);
  }

  go(from, length) {
    this.from = Math.max(0, Math.min(from, this.hit.duration - length));
    this.to = this.from + length;
    this.draw();
    this.refine();
  }

  wheel(event) {
    if (!this.hit || event.ctrlKey) return;
    event.preventDefault();
    const box = this.wave.getBoundingClientRect();
    const middle = this.from + ((event.clientX - box.left) / box.width) * (this.to - this.from);
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan(Math.sign(event.deltaX || event.deltaY) * 0.1);
    else this.zoom(event.deltaY > 0 ? 1.25 : 0.8, middle);
  }

  draw() {
    const { hit, from, to, fine } = this;
    if (!hit) return;
    const marked = part.value?.id === hit.id ? [part.value.start, part.value.end] : null;
    const whole = hit.start <= 0 && hit.end >= hit.duration - 0.05;
    const played = sound.value?.id === hit.id ? moved.value : null;
    const peaks = fine && fine.from <= from && fine.to >= to ? fine : this.peaks;
    paint(this.wave, { peaks, from, to, hit: whole ? null : [hit.start, hit.end], part: marked, played });
    this.drawPicture(marked, played);
    this.drawAxis();
  }

  drawPicture(marked, played) {
    const { picture, image, from, to } = this;
    paint(picture, { peaks: { low: [], high: [] }, from, to, hit: null, part: null, played: null });
    const pen = picture.getContext("2d");
    const x = (second) => ((second - from) / (to - from)) * picture.width;
    if (image) pen.drawImage(image.canvas, x(image.from), 0, x(image.to) - x(image.from), picture.height);
    pen.fillStyle = "#fff";
    if (marked) for (const second of marked) pen.fillRect(Math.round(x(second)), 0, 1.5, picture.height);
    if (played !== null) pen.fillRect(Math.round(x(played)), 0, 1.5, picture.height);
  }

  drawAxis() {
    const { axis, from, to } = this;
    const ratio = Math.min(2, devicePixelRatio);
    [axis.width, axis.height] = [axis.clientWidth * ratio, axis.clientHeight * ratio];
    const pen = axis.getContext("2d");
    const style = getComputedStyle(axis);
    pen.fillStyle = style.color;
    pen.font = `${10 * ratio}px ${style.fontFamily}`;
    const step = STEPS.find((each) => (to - from) / each <= axis.clientWidth / 56) ?? 7200;
    const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
    for (let second = Math.ceil(from / step) * step; second <= to; second += step) {
      const x = ((second - from) / (to - from)) * axis.width;
      pen.fillRect(Math.round(x), 0, ratio, 3 * ratio);
      const minutes = Math.floor((second + 1e-9) / 60);
      const rest = (second - 60 * minutes).toFixed(digits);
      const text = to >= 60 ? `${minutes}:${rest.padStart(digits ? 3 + digits : 2, "0")}` : rest;
      if (x + pen.measureText(text).width < axis.width) pen.fillText(text, x + 3 * ratio, 12 * ratio);
    }
  }
}
