// The two dialogs that lie over the page: keys, and settings.

import { by, element } from "./dom.js";
import { drawKeys } from "./keys.js";
import { set, settings } from "./settings.js";

const CHOICES = [
  ["theme", "Colours", [["system", "as the system"], ["dark", "dark"], ["light", "light"]]],
  ["density", "Rows", [["compact", "compact"], ["comfortable", "comfortable"]]],
];
const SWITCHES = [
  ["audition", "Play a sound when it is chosen"],
  ["follow", "Play the next sound where one ends"],
  ["level", "Match loudness (−23 LUFS; a sound is never raised so far that it clips)"],
  ["pitch", "Keep the pitch at other speeds"],
  ["keys", "Single keys act"],
];

function drawSettings() {
  const choices = CHOICES.map(([name, title, values]) => element("fieldset", { className: "choices" },
    element("legend", { textContent: title }), ...values.map(([value, label]) => element("label", {},
      element("input", { type: "radio", name: `set-${name}`, value, checked: settings.value[name] === value,
        onchange: () => set({ [name]: value }) }), element("span", { textContent: label })))));
  const switches = SWITCHES.map(([name, label]) => element("label", { className: "switch" },
    element("input", { type: "checkbox", name: `set-${name}`, checked: settings.value[name],
      onchange: (event) => set({ [name]: event.target.checked }) }), element("span", { textContent: label })));
  by("setting-list").replaceChildren(...choices, ...switches);
}

function shut(dialog) {
  // A click beside the dialog is one on its backdrop.
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}

export function openHelp() {
  drawKeys();
  by("help").showModal();
}

export function openSettings() {
  drawSettings();
  by("settings").showModal();
}

export function setUpOverlays() {
  for (const id of ["help", "settings"]) shut(by(id));
  by("help").addEventListener("keydown", (event) => {
    if (event.key !== "?") return;
    event.stopPropagation(); // or it opens again
    by("help").close();
  });
}
