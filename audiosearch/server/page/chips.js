// What a search consists of besides the words that are being typed, as chips that can be taken off: terms beside the
// words, filters below them.

import { ask } from "./api.js";
import { by, element, icon, split, time } from "./dom.js";
import { bandName } from "./filters.js";
import { channelsOf, kilohertz } from "./sounds.js";
import { state } from "./state.js";

const names = new Map(); // of sounds, by id

// The names of terms that came with an address, which holds ids.
async function learn(redraw) {
  const unknown = state.terms.filter(({ id, name }) => id && !name && !names.has(id));
  if (!unknown.length) return;
  await Promise.all(unknown.map(async ({ id }) => {
    try {
      names.set(id, split((await ask(`v1/sounds/${id}`)).path)[1]);
    } catch {
      names.set(id, `sound ${id}`); // it is not in the library any more, and the search says so
    }
  }));
  redraw();
}

export function termName(term) {
  const part = term.end ? ` ${time(term.start)} – ${time(term.end)}` : "";
  return term.text ?? (term.id ? (term.name ?? names.get(term.id) ?? "…") + part : (term.name ?? "a sound"));
}

function chip(text, label, remove, sign = null) {
  return element("li", { className: "chip" }, sign, element("span", { className: "text", textContent: text, title: text }),
    element("button", { type: "button", title: label, "aria-label": label, onclick: remove }, icon("close")));
}

export function drawTerms(changed) {
  by("terms").replaceChildren(...state.terms.map((term, index) => {
    const name = termName(term);
    const away = term.weight < 0;
    const label = away ? `Look for ${name}` : `Avoid ${name}`;
    const sign = element("button", { type: "button", className: "sign", title: label, "aria-label": label, onclick: () => {
      term.weight = -term.weight;
      changed();
    } }, icon(away ? "minus" : "plus"));
    const made = chip(name, `Remove ${name}`, () => {
      state.terms.splice(index, 1);
      changed();
    }, sign);
    if (away) made.classList.add("away");
    return made;
  }));
  learn(() => drawTerms(changed));
}

const WORDS = {
  rate: (value) => kilohertz(Number(value)),
  channels: (value) => channelsOf(Number(value)),
  root: (value) => split(value)[1] || value,
  tag: (value) => value.replace("=", ": "),
  path: (value) => value.replace(/^\*(.*)\*$/, "path: $1"),
  since: (value) => `changed in ${value}`,
};

export function drawChips(changed) {
  const { min_duration: low, max_duration: high, min_loudness: quiet, max_loudness: loud, ...others } = state.filters;
  const chips = Object.entries(others).flatMap(([name, values]) => values.map((value) => {
    const text = (WORDS[name] ?? String)(value);
    return chip(text, `Remove the filter ${text}`, () => {
      state.filters[name] = values.filter((one) => one !== value);
      if (!state.filters[name].length) delete state.filters[name];
      changed();
    });
  }));
  const range = (from, to, fields, text) => (from || to) && chips.push(chip(text, `Remove the filter ${text}`, () => {
    for (const field of fields) delete state.filters[field];
    changed();
  }));
  range(low, high, ["min_duration", "max_duration"], bandName(low?.[0], high?.[0]));
  range(quiet, loud, ["min_loudness", "max_loudness"], `${quiet?.[0] ?? "…"} to ${loud?.[0] ?? "…"} LUFS`);
  by("chips").replaceChildren(...chips);
  by("reset").hidden = !chips.length;
  by("filtered").textContent = chips.length || "";
}
