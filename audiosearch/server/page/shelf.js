// The panel of favourites, collections and saved searches.

import { by, element, many, number, say, tool } from "./dom.js";
import * as kept from "./collections.js";
import { state } from "./state.js";

const FORMATS = [["paths", "paths"], ["csv", "csv"], ["m3u8", "m3u8"]];

let does = null;

// Do something that the server may refuse, and say why it did.
async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    return say(error.message);
  }
}

// A name that is asked for in the place of `instead`; Escape leaves it.
function nameField(instead, value, label, onName) {
  const input = element("input", { type: "text", value, maxLength: 200, "aria-label": label, placeholder: label });
  let over = false;
  const end = (name) => {
    if (over) return;
    over = true;
    input.replaceWith(instead);
    if (name && name !== value) attempt(() => onName(name));
    instead.focus?.();
  };
  input.onkeydown = (event) => {
    if (event.key === "Enter") end(input.value.trim());
    if (event.key === "Escape") end("");
    event.stopPropagation();
  };
  input.onblur = () => end(input.value.trim());
  instead.replaceWith(input);
  input.select();
  input.focus();
}

function confirmed(question, work) {
  by("sure-words").textContent = question;
  const dialog = by("sure");
  dialog.onclose = () => dialog.returnValue === "yes" && attempt(work);
  dialog.returnValue = "";
  dialog.showModal();
}

function collection(each) {
  const isOpen = state.collection === each.id;
  const isFavourites = each.kind === "favourites";
  const open = element("button", { type: "button", className: "open", "aria-pressed": isOpen, onclick: () => does.open(isOpen ? null : each.id) },
    element("span", { className: "what", textContent: each.name }), element("span", { className: "count", textContent: number(each.sounds) }));
  const item = element("li", { className: "shelf-item" }, open);
  if (!isFavourites) {
    const isUsed = kept.currentCollection()?.id === each.id;
    const label = isUsed ? `b puts sounds into ${each.name}` : `Let b put sounds into ${each.name}`;
    item.prepend(element("input", { type: "radio", name: "used", checked: isUsed, title: label, "aria-label": label,
      onchange: () => attempt(() => kept.use(each.id)) }));
  }
  if (!isOpen) return item;
  const links = FORMATS.map(([format, text]) => element("a", { href: kept.exportLink(each.id, format), download: "", textContent: text,
    title: `Export ${each.name} as ${text}` }));
  const own = isFavourites ? [] : [
    tool("pen", `Rename ${each.name}`, () => nameField(open, each.name, "Name", (name) => kept.rename(each.id, name))),
    tool("bin", `Delete ${each.name}`, () => confirmed(`Delete the collection ${each.name} (${many(each.sounds, "sound")})? The sounds stay.`,
      async () => {
        await kept.drop(each.id);
        does.open(null);
      })),
  ];
  item.append(element("div", { className: "shelf-tools" }, element("span", { textContent: "Export" }), ...links, ...own));
  return item;
}

function saved(each) {
  return element("li", { className: "shelf-item" },
    element("button", { type: "button", className: "open", onclick: () => does.run(each.query) },
      element("span", { className: "what", textContent: each.name })),
    tool("bin", `Delete the search ${each.name}`, () => attempt(() => kept.dropSearch(each.id))));
}

function draw() {
  const all = kept.collections.value;
  by("shelf").hidden = all === null;
  if (!all) return;
  by("collections").replaceChildren(...all.map(collection));
  by("searches").replaceChildren(...kept.searches.value.map(saved));
  by("no-searches").hidden = kept.searches.value.length > 0;
}

// `does`: {open(id or null), run(query), query()}.
export function setUpShelf(what) {
  does = what;
  const [add, save] = ["new-collection", "save-search"].map(by);
  add.onclick = () => nameField(add, "", "Name of the collection", kept.make);
  save.onclick = () => {
    const { name, query } = does.query();
    if (!query) return say("Search for something first; then it can be saved.");
    return nameField(save, name, "Name of the search", (given) => kept.saveSearch(given, query));
  };
  for (const one of [kept.collections, kept.searches, kept.current]) one.follow(draw);
}

export const drawShelf = draw;
