// The folders of the library as a tree: a branch is asked for when it is opened.

import { ask, isMissing } from "./api.js";
import { element, number, split } from "./dom.js";
import { state } from "./state.js";

const open = new Set();
let isFirst = true; // nobody has seen the tree yet
let counts = {};
const kept = new Map(); // folders by their parent; what is below the roots is asked for once a page

let isOld = false; // the server knows the library's own folders alone

async function below(parent) {
  if (!kept.has(parent)) {
    const query = parent === null ? "" : `?parent=${encodeURIComponent(parent)}`;
    kept.set(parent, (await ask(`v1/folders${query}`)).folders);
  }
  return kept.get(parent);
}

export const forgetFolders = () => kept.clear();

function branch(folder, changed) {
  const { path, sounds, folders } = folder;
  const chosen = state.filters.root ?? [];
  const input = element("input", { type: "checkbox", name: "root", value: path, checked: chosen.includes(path), onchange: () => {
    state.filters.root = input.checked ? [...chosen, path] : chosen.filter((one) => one !== path);
    if (!state.filters.root.length) delete state.filters.root;
    changed();
  } });
  const label = element("label", { className: "choice", title: path }, input,
    element("span", { className: "what", textContent: folder.name || split(path)[1] || path }),
    element("span", { className: "count", textContent: number(counts[path] ?? sounds) }));
  const item = element("li", {}, label);
  if (folders) {
    const inner = element("ul", { hidden: true });
    const twist = element("button", { type: "button", className: "twist", "aria-label": `Folders in ${folder.name}`,
      "aria-expanded": "false" });
    const show = async (is) => {
      twist.setAttribute("aria-expanded", is);
      inner.hidden = !is;
      open[is ? "add" : "delete"](path);
      if (!is || inner.children.length) return;
      try {
        inner.replaceChildren(...(await below(path)).map((each) => branch(each, changed)));
      } catch {
        // what went wrong is said elsewhere; the next opening asks again
      }
    };
    twist.onclick = () => show(inner.hidden);
    item.prepend(twist);
    item.append(inner);
    if (open.has(path)) show(true);
  }
  return item;
}

// The tree. `found` has the counts of some folders for what is searched for, the library's own among them; a server that
// knows no others shows these.
export function folderTree(found, changed) {
  counts = found;
  const tree = element("ul", { className: "tree" });
  const draw = (folders) => tree.replaceChildren(...folders.map((folder) => branch(folder, changed)));
  const flat = () => draw(Object.entries(found).map(([path, sounds]) => ({ path, name: split(path)[1], sounds, folders: 0 })));
  if (isOld) {
    flat();
    return tree;
  }
  below(null).then((folders) => {
    if (isFirst && folders.length === 1) open.add(folders[0].path); // a tree that was closed stays closed
    isFirst = false;
    draw(folders);
  }).catch((error) => {
    isOld = isMissing(error);
    if (isOld) flat();
  });
  return tree;
}
