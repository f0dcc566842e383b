// The panel of filters: each value with its count, the folders as a tree, and what the files' own tags say.

import { askIfThere } from "./api.js";
import { BANDS, count, tagCounts } from "./counting.js";
import { by, element, later, number } from "./dom.js";
import { folderTree } from "./folders.js";
import { channelsOf, kilohertz } from "./sounds.js";
import { state } from "./state.js";

const GROUPS = [["format", "Format", (value) => value], ["rate", "Sample rate", (value) => kilohertz(Number(value))],
  ["channels", "Channels", (value) => channelsOf(Number(value))]];
const SINCE = [["", "any time"], ["1d", "today"], ["7d", "last 7 days"], ["30d", "last 30 days"], ["365d", "last year"]];
const SHOWN = 8; // values of a group before the rest is asked for
const TAGS = 8;

const open = new Set(["folder", "duration", "format"]);
const whole = new Set();
let changed = () => {};
let tags = [];

export const bandName = (low, high) => (high ? `${low || 0} – ${high} s` : `${low} s and longer`);

// A value to choose, with its count.
function choice(kind, name, value, label, amount, checked, onchange) {
  const input = element("input", { type: kind, name, value, checked, onchange });
  return element("label", { className: "choice" }, input, element("span", { className: "what", textContent: label, title: label }),
    element("span", { className: "count", textContent: amount === "" ? "" : number(amount) }));
}

// A group that opens and shuts.
export function group(key, title, ...children) {
  const made = element("details", { open: open.has(key) }, element("summary", { textContent: title }), ...children);
  made.addEventListener("toggle", () => open[made.open ? "add" : "delete"](key));
  return made;
}

const toggle = (name, value) => () => {
  const there = state.filters[name] ?? [];
  state.filters[name] = there.includes(value) ? there.filter((one) => one !== value) : [...there, value];
  if (!state.filters[name].length) delete state.filters[name];
  changed();
};

function values(key, name, pairs, label, written = (value) => value) {
  const chosen = state.filters[name] ?? [];
  const rows = pairs.map(([value, amount]) => choice("checkbox", name, written(value), label(value), amount,
    chosen.includes(written(value)), toggle(name, written(value))));
  if (rows.length <= SHOWN || whole.has(key)) return rows;
  const rest = element("button", { type: "button", className: "rest", textContent: `${rows.length - SHOWN} more`, onclick: () => {
    whole.add(key);
    rest.replaceWith(...rows.slice(SHOWN));
  } });
  return [...rows.slice(0, SHOWN), rest];
}

function lengths(counts) {
  const [low, high] = ["min_duration", "max_duration"].map((name) => state.filters[name]?.[0] ?? "");
  const put = (from, to) => () => {
    for (const [name, value] of [["min_duration", from], ["max_duration", to]]) {
      if (value) state.filters[name] = [value];
      else delete state.filters[name];
    }
    changed();
  };
  const bands = Object.entries(counts).map(([band, amount]) => {
    const [from, to] = band.split("-");
    return choice("radio", BANDS, band, bandName(from, to), amount, low === (from === "0" ? "" : from) && high === to,
      put(from === "0" ? "" : from, to));
  });
  return [choice("radio", BANDS, "", "any", "", !low && !high, put("", "")), ...bands];
}

// Two numbers, of which either may be left out.
function between(names, unit, label) {
  const input = (name, words) => element("input", { type: "number", step: "any", placeholder: words, name,
    "aria-label": `${label}, ${words}`, value: state.filters[name]?.[0] ?? "", onchange: (event) => {
      if (event.target.value) state.filters[name] = [event.target.value];
      else delete state.filters[name];
      changed();
    } });
  return element("div", { className: "between" }, input(names[0], "from"), "–", input(names[1], "to"), unit);
}

function since(counts = {}) {
  const chosen = state.filters.since?.[0] ?? "";
  const select = element("select", { name: "since", "aria-label": "Changed since", onchange: () => {
    if (select.value) state.filters.since = [select.value];
    else delete state.filters.since;
    changed();
  } }, ...SINCE.map(([value, label]) => new Option(value in counts ? `${label} (${number(counts[value])})` : label, value, false, value === chosen)));
  return select;
}

function path() {
  const now = state.filters.path?.[0]?.slice(1, -1) ?? "";
  return element("input", { type: "text", name: "path", placeholder: "part of the path", "aria-label": "Part of the path",
    value: now, onchange: (event) => {
      const text = event.target.value.trim();
      if (text) state.filters.path = [`*${text}*`];
      else delete state.filters.path;
      changed();
    } });
}

function draw(facets) {
  const place = document.activeElement;
  const groups = GROUPS.filter(([name]) => Object.keys(facets[name]).length).map(([name, title, label]) =>
    group(name, title, ...values(name, name, Object.entries(facets[name]), label)));
  const own = tagCounts(tags, facets).map(([key, pairs]) => group(`tag ${key}`, key[0].toUpperCase() + key.slice(1).replaceAll("_", " "),
    ...values(`tag ${key}`, "tag", pairs, String, (value) => `${key}=${value}`)));
  by("facets").replaceChildren(
    group("folder", "Folder", folderTree({ ...facets.root, ...facets.folder }, () => changed())),
    group("duration", "Length", ...lengths(facets.duration), between(["min_duration", "max_duration"], "s", "Length")),
    ...groups, ...own,
    group("loudness", "Loudness", between(["min_loudness", "max_loudness"], "LUFS", "Loudness")),
    group("since", "Changed", since(facets.since)), group("path", "Path", path()));
  if (place?.name && !place.isConnected) {
    const again = [...by("facets").querySelectorAll("input, select")].find((input) =>
      input.name === place.name && (input.value === place.value || input.type !== place.type || input.type === "number"));
    again?.focus({ preventScroll: true });
  }
}

// Draw the panel anew; the answer is {total, hits}: the sounds that pass, and those that stand out.
export async function drawFilters(onChange) {
  changed = onChange;
  const { facets, total, hits } = await count();
  draw(facets);
  return { total, hits };
}

export const readTags = later(0, async () => {
  try {
    ({ tags } = await askIfThere(`v1/tags?k=${TAGS}`, { tags: [] }));
  } catch {
    tags = []; // the other filters work without
  }
});
