// Small things that every part of the page uses.

import { ICONS } from "./icons.js";

export const by = (id) => document.getElementById(id);

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// An icon of the page's own set, drawn in the colour of the text beside it.
export function icon(name) {
  const frame = document.createElement("template");
  frame.innerHTML = `<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${ICONS[name]}</svg>`;
  return frame.content.firstChild;
}

// A button with a word on it; `label` says more than the word does.
export function button(text, label, onclick, properties = {}) {
  const made = element("button", { type: "button", textContent: text, title: label, onclick, ...properties });
  if (text !== label) made.setAttribute("aria-label", label);
  return made;
}

// A button with an icon alone.
export function tool(name, label, onclick, properties = {}) {
  return element("button", { type: "button", className: "tool", title: label, "aria-label": label, onclick, ...properties },
    icon(name));
}

export function time(seconds) {
  const whole = Math.round(seconds * 10) / 10;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = (whole % 60).toFixed(1).padStart(4, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

const NUMBERS = new Intl.NumberFormat("en");
export const number = (value) => NUMBERS.format(value);
export const many = (count, noun, nouns = `${noun}s`) => `${number(count)} ${count === 1 ? noun : nouns}`;

// Folder and name of a path, of any system.
export function split(path) {
  const cut = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return [path.slice(0, cut), path.slice(cut + 1)];
}

export function say(text) {
  by("said").textContent = text;
}

// Call `work` once things have been quiet for `pause` ms.
export function later(pause, work) {
  let waiting;
  return (...values) => {
    clearTimeout(waiting);
    waiting = setTimeout(work, pause, ...values);
  };
}

// Call `work` at once, but not twice within `pause` ms: the last call then comes late, unless it is cancelled.
export function spaced(pause, work) {
  let waiting;
  let last = -Infinity;
  const call = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      last = performance.now();
      work();
    }, Math.max(0, last + pause - performance.now()));
  };
  call.cancel = () => clearTimeout(waiting);
  return call;
}
