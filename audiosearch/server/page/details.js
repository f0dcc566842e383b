// The pane of one sound: its picture, the part that is marked, where it is heard, what is known of it, what is like it.

import { ask, post } from "./api.js";
import { by, button, element, icon, many, say, time, tool } from "./dom.js";
import { part, play } from "./player.js";
import { settings } from "./settings.js";
import { asHit, channelsOf, folderOf, kilohertz, nameOf, partLink } from "./sounds.js";
import { terms, where } from "./state.js";
import { Zoom } from "./zoom.js";

const LIKE = 8;
const MOMENTS = 50;

let hit = null;
let zoom = null;
let does = null;
let asking = null;

const size = (bytes) => {
  const step = bytes < 1e6 ? [1e3, "KB"] : bytes < 1e9 ? [1e6, "MB"] : [1e9, "GB"];
  return `${(bytes / step[0]).toFixed(1)} ${step[1]}`;
};
const decibel = (value, unit) => (typeof value === "number" ? `${value.toFixed(1)} ${unit}` : null);
const label = (key) => key[0].toUpperCase() + key.slice(1).replaceAll("_", " ");
const words = (value) => (value !== null && typeof value === "object" ? JSON.stringify(value) : String(value));

function facts(sound) {
  const fixed = [["Length", time(sound.duration)],
    ["Format", [sound.format, sound.subtype, kilohertz(sound.sample_rate), channelsOf(sound.channels)].filter(Boolean).join(" · ")],
    ["Loudness", decibel(sound.loudness, "LUFS")], ["Peak", decibel(sound.peak, "dBFS")],
    ["Size", sound.size === undefined ? null : size(sound.size)],
    ["Changed", sound.mtime_ns ? new Date(sound.mtime_ns / 1e6).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }) : null],
    ["Truncated", sound.truncated], ["Notices", sound.notices?.join("; ")], ["Your id", sound.external_id]];
  const own = [...Object.entries(sound.tags ?? {}), ...Object.entries(sound.metadata ?? {})].map(([key, value]) => [label(key), words(value)]);
  return [...fixed, ...own].filter(([, value]) => value).flatMap(([key, value]) =>
    [element("dt", { textContent: key }), element("dd", { textContent: value })]);
}

function section(id, title, ...children) {
  by(id).hidden = !children.length;
  if (children.length) by(id).replaceChildren(element("h3", { textContent: title }), ...children);
}

function drawPart() {
  const marked = hit && part.value?.id === hit.id ? part.value : null;
  by("d-hint").hidden = Boolean(marked);
  by("d-part").hidden = !marked;
  if (!marked) return;
  const { start, end } = marked;
  const name = `${nameOf(hit)} ${time(start)} – ${time(end)}`;
  const file = `${nameOf(hit).replace(/\.[^.]*$/, "")} ${start.toFixed(3)}-${end.toFixed(3)}.wav`;
  by("d-part").replaceChildren(
    element("span", { className: "range", textContent: `${time(start)} – ${time(end)}` }),
    button("Play", `Play ${name}`, () => play(hit, start)),
    button("Search by it", `Search by ${name}`, () => does.searchBy(hit, start, end)),
    element("a", { className: "button", href: partLink(hit.id, start, end), download: file, textContent: "Export wav" }),
    tool("close", "Unmark the part", () => {
      part.value = null;
    }));
}

// Where the sound is heard, best first, for a search in words or sounds.
async function moments(signal) {
  if (!terms().length || hit.score === null) return [];
  const exactly = hit.path.replace(/[[*?]/g, "[$&]");
  const found = await post("v1/search", { terms: terms(), where: { ...where(), path: [exactly] }, moments: true, k: MOMENTS }, signal);
  return found.hits.filter(({ path }) => path === hit.path);
}

async function fill(signal) {
  const id = hit.id;
  const still = () => hit?.id === id && !signal.aborted;
  const parts = [
    ask(`v1/sounds/${id}`, { signal }).then((sound) => still() && by("d-facts").replaceChildren(...facts(sound))),
    moments(signal).then((found) => {
      if (!still()) return;
      const times = found.map((each) => button(`${time(each.start)} – ${time(each.end)}`, `Play from ${time(each.start)}, score ${each.score.toFixed(3)}`,
        () => play(hit, each.start)));
      section("d-moments", "Heard at", ...(times.length ? [element("div", { className: "times" }, ...times)] : []));
    }),
    ask(`v1/sounds/${id}/similar?k=${LIKE + 1}&group=true`, { signal }).then(({ hits }) => {
      if (!still()) return;
      const others = hits.filter((each) => each.id !== id).slice(0, LIKE);
      section("d-similar", "Sounds like it", ...(others.length ? [element("ul", { className: "plain" }, ...others.map(similar))] : []));
    }),
    ask(`v1/sounds/${id}/collections`, { signal }).then(({ collections }) => {
      if (!still()) return;
      const names = collections.map((each) => button(each.name, `Open ${each.name}`, () => does.open(each.id)));
      section("d-collections", "In collections", ...(names.length ? [element("div", { className: "times" }, ...names)] : []));
    }),
  ];
  for (const each of await Promise.allSettled(parts)) {
    const { reason } = each;
    if (reason && reason.name !== "AbortError" && reason.status === undefined && still()) say(reason.message);
  }
}

function similar(other) {
  return element("li", {},
    tool("play", `Play ${nameOf(other)}`, () => play(asHit(other))),
    button(nameOf(other), `Details of ${other.path}`, () => showDetails(other), { className: "link" }),
    element("span", { className: "count", textContent: time(other.duration) }));
}

export function showDetails(other) {
  if (!other || !settings.value.details) return;
  if (hit?.id === other.id && hit.start === other.start && hit.score === other.score) return;
  hit = asHit(other);
  by("d-none").hidden = true;
  by("d-sound").hidden = false;
  by("d-name").textContent = nameOf(hit);
  by("d-path").textContent = hit.path;
  by("d-folder").textContent = folderOf(hit);
  by("d-facts").replaceChildren();
  for (const id of ["d-moments", "d-similar", "d-collections"]) by(id).hidden = true;
  const copies = (hit.copies ?? []).map((path) => element("li", { textContent: path, title: path }));
  section("d-copies", many(copies.length, "more copy", "more copies"),
    ...(copies.length ? [element("ul", { className: "plain paths" }, ...copies)] : []));
  drawPart();
  zoom.show(hit);
  by("details").scrollTop = 0;
  asking?.abort();
  asking = new AbortController();
  fill(asking.signal);
}

// `does`: {searchBy(hit, start, end), open(collection), copy(hit), close()}.
export function setUpDetails(what) {
  does = what;
  zoom = new Zoom({ wave: by("d-wave"), picture: by("d-picture"), axis: by("d-axis") }, {
    play: (second) => play(hit, second),
    mark: (start, end, isOver) => {
      part.value = { id: hit.id, start, end };
      if (isOver && settings.value.audition) play(hit, start);
    },
  });
  const zooms = { "d-closer": ["closer", () => zoom.zoom(0.5)], "d-wider": ["wider", () => zoom.zoom(2)] };
  for (const [id, [name, work]] of Object.entries(zooms)) {
    by(id).append(icon(name));
    by(id).onclick = () => hit && work();
  }
  by("d-copy").onclick = () => does.copy(hit);
  by("d-close").append(icon("close"));
  by("d-close").onclick = does.close;
  const keys = { ArrowLeft: () => zoom.pan(-0.1), ArrowRight: () => zoom.pan(0.1), "+": () => zoom.zoom(0.5), "-": () => zoom.zoom(2) };
  by("d-view").addEventListener("keydown", (event) => {
    if (!keys[event.key] || !hit) return;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]();
  });
  part.follow(drawPart);
}

