// Sounds put aside: kept in this browser until the basket is emptied, and taken away as paths or csv.

import { by, element, say, split } from "./dom.js";

const STORE = "audiosearch-basket";
let sounds = JSON.parse(localStorage.getItem(STORE) ?? "[]");

function show() {
  localStorage.setItem(STORE, JSON.stringify(sounds));
  by("basket").hidden = !sounds.length;
  by("kept").textContent = `${sounds.length} in the basket`;
}

export function put({ id, path, start, end, duration, external_id }) {
  const there = sounds.some((sound) => sound.id === id);
  sounds = there ? sounds.filter((sound) => sound.id !== id) : [...sounds, { id, path, start, end, duration, external_id }];
  say(`${split(path)[1]} is ${there ? "out of" : "in"} the basket.`);
  show();
}

const cell = (value) => (/[",\n\r]/.test(`${value ?? ""}`) ? `"${`${value}`.replaceAll('"', '""')}"` : `${value ?? ""}`);

by("copy-paths").onclick = async () => {
  await navigator.clipboard.writeText(sounds.map((sound) => sound.path).join("\n"));
  say(`${sounds.length} paths are copied.`);
};
by("save-csv").onclick = () => {
  const names = ["path", "start", "end", "duration", "id", "external_id"];
  const lines = [names, ...sounds.map((sound) => names.map((name) => sound[name]))];
  const text = lines.map((line) => line.map(cell).join(",")).join("\r\n");
  const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "sounds.csv" });
  link.click();
  URL.revokeObjectURL(link.href);
};
by("empty").onclick = () => {
  sounds = [];
  show();
};

show();
