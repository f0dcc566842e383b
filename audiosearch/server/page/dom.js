// Small things that every part of the page uses.

export const by = (id) => document.getElementById(id);

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export function button(text, label, onclick) {
  const made = element("button", { type: "button", textContent: text, title: label, onclick });
  if (text !== label) made.setAttribute("aria-label", label);
  return made;
}

export function time(seconds) {
  const whole = Math.round(seconds * 10) / 10;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = (whole % 60).toFixed(1).padStart(4, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

// Folder and name of a path, of any system.
export function split(path) {
  const cut = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return [path.slice(0, cut), path.slice(cut + 1)];
}

export function say(text) {
  by("said").textContent = text;
}
