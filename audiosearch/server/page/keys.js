// The keys: one table, which the help shows and the page obeys. Single keys act wherever nobody types, and can be turned
// off (in the settings), for those whose software speaks or types for them.

import { by, element } from "./dom.js";
import { settings } from "./settings.js";

// [keys, what they do, name of the action]; an empty action is handled where it belongs, and is here for the help.
const KEYS = [
  ["Searching", [
    ["/", "type words", "words"], ["Enter", "from the words into the list", ""],
    ["m", "more like this sound", "more"], ["x", "less like this sound", "less"], ["p", "search by the marked part", "byPart"]]],
  ["Choosing", [
    ["ArrowDown j", "next sound", "down"], ["ArrowUp k", "previous sound", "up"],
    ["PageDown", "a screen further", "pageDown"], ["PageUp", "a screen back", "pageUp"],
    ["Home", "first sound", "home"], ["End", "last sound so far", "end"]]],
  ["Listening", [
    ["Space", "play or pause", "toggle"], ["Escape", "stop", "stop"],
    ["ArrowLeft", "a second back", "back"], ["ArrowRight", "a second on", "forth"],
    ["l", "loop the marked part, or where it is heard", "loop"], ["g", "match the loudness", "level"],
    ["n", "play on with the next sound", "follow"], ["a", "play what is chosen", "audition"],
    ["[", "slower", "slower"], ["]", "faster", "faster"]]],
  ["Keeping", [
    ["f", "favourite", "favourite"], ["b", "put into the collection", "keep"],
    ["d", "download", "download"], ["c", "copy the path", "copy"], ["e", "export the marked part as wav", "exportPart"]]],
  ["The page", [
    ["Enter", "details of the sound", "details"], ["s", "filters and collections", "side"],
    [",", "settings", "settings"], ["?", "this help", "help"]]],
];

const ACTIONS = new Map(KEYS.flatMap(([, rows]) => rows).filter(([, , action]) => action)
  .flatMap(([keys, , action]) => keys.split(" ").map((key) => [key === "Space" ? " " : key, action])));

const SHOWN = { ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", PageDown: "Page ↓", PageUp: "Page ↑", Escape: "Esc" };

export function drawKeys() {
  by("key-table").replaceChildren(...KEYS.map(([title, rows]) => element("section", {}, element("h3", { textContent: title }),
    element("dl", {}, ...rows.flatMap(([keys, what]) => [
      element("dt", {}, ...keys.split(" ").map((key) => element("kbd", { textContent: SHOWN[key] ?? key }))),
      element("dd", { textContent: what })])))));
}

// Where keys are letters: fields to type into.
const takesText = (target) => target.matches("textarea, input:not([type=checkbox], [type=radio], [type=range], [type=file])");
// Where a key has a meaning of its own already.
const MEANT = {
  "button, a, summary, [type=file]": [" ", "Enter"],
  "select, [type=radio], [type=range]": [" ", "ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "Home", "End", "PageUp", "PageDown"],
  "[type=checkbox]": [" "],
};
const isMeant = ({ target, key }) =>
  Object.entries(MEANT).some(([selector, keys]) => keys.includes(key) && target.matches(selector));

// `does`: an action by name each; one that answers false leaves the key to the browser. `isBlank()`: nothing is listed, and
// letters are words.
export function setUpKeys(does, isBlank) {
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
    if (key === "Escape") {
      if (target === by("q") || !takesText(target)) does.stop(event);
      return;
    }
    if (takesText(target)) {
      if (target !== by("q") || key !== "ArrowDown") return;
      does.enter(event);
      event.preventDefault();
      return;
    }
    if (isMeant(event)) return;
    const isLetter = key.length === 1 && key !== " ";
    if (isLetter && isBlank() && /\p{L}|\p{N}/u.test(key)) return void by("q").focus(); // where the letter then goes
    if (isLetter && !settings.value.keys) return;
    const action = ACTIONS.get(key);
    if (action && does[action](event) !== false) event.preventDefault();
  });
}
