// Filters with counts, drawn from the library's facets.

import { ask } from "./api.js";
import { by, element } from "./dom.js";
import { state } from "./state.js";

const KINDS = [["format", "Format"], ["rate", "Sample rate"], ["channels", "Channels"], ["root", "Folder"]];

function choice(kind, name, value, label, count, checked, onchange) {
  const input = element("input", { type: kind, name, value, checked, onchange });
  return element("label", {}, input, ` ${label} `, element("span", { className: "count", textContent: count }));
}

function group(title, choices) {
  return element("fieldset", {}, element("legend", { textContent: title }), ...choices);
}

export async function drawFilters(changed) {
  const found = await ask("v1/facets");
  const toggle = (name) => () => {
    const boxes = by("facets").querySelectorAll(`input[name="${name}"]:checked`);
    state.filters[name] = [...boxes].map((box) => box.value);
    changed();
  };
  const groups = KINDS.filter(([name]) => Object.keys(found[name]).length > 1).map(([name, title]) =>
    group(title, Object.entries(found[name]).map(([value, count]) =>
      choice("checkbox", name, value, value, count, (state.filters[name] ?? []).includes(value), toggle(name)))));
  const bands = Object.entries(found.duration).map(([band, count]) => {
    const [low, high] = band.split("-");
    const is = (state.filters.min_duration?.[0] ?? "") === low && (state.filters.max_duration?.[0] ?? "") === high;
    return choice("radio", "duration", band, high ? `${low} to ${high} s` : `from ${low} s`, count, is, () => {
      state.filters.min_duration = [low];
      state.filters.max_duration = high ? [high] : [];
      changed();
    });
  });
  const any = choice("radio", "duration", "", "any", "", !state.filters.min_duration?.length, () => {
    delete state.filters.min_duration;
    delete state.filters.max_duration;
    changed();
  });
  by("facets").replaceChildren(group("Length", [any, ...bands]), ...groups);
  countFilters();
}

export function countFilters() {
  const { min_duration: low, max_duration: high, ...others } = state.filters;
  const count = Object.values(others).flat().length + (low?.length || high?.length ? 1 : 0);
  by("filtered").textContent = count ? `(${count})` : "";
}
