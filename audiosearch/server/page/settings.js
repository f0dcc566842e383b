// What this browser remembers of how its owner works. Nothing of it leaves the browser.

import { signal } from "./signal.js";

const STORE = "audiosearch-settings";
const DEFAULTS = {
  theme: "system", // or "dark", "light"
  density: "compact", // or "comfortable"
  audition: true, // play the sound that is chosen
  follow: false, // play the next one where a sound ends
  level: true, // match loudness
  loop: false,
  speed: 1,
  pitch: true, // kept at other speeds
  volume: 1,
  keys: true, // single keys act
  side: true, // the panel of filters and collections is open
  details: false, // and that of details
};

export const recalled = (store, otherwise) => {
  try {
    return JSON.parse(localStorage.getItem(store)) ?? otherwise;
  } catch {
    return otherwise; // somebody else's text, or storage is off
  }
};

export function remember(store, value) {
  try {
    localStorage.setItem(store, JSON.stringify(value));
  } catch {
    // storage is full or off: the page works, and forgets
  }
}

export const settings = signal({ ...DEFAULTS, ...recalled(STORE, {}) });

export function set(changes) {
  settings.value = { ...settings.value, ...changes };
  remember(STORE, settings.value);
}

export const flip = (name) => set({ [name]: !settings.value[name] });

settings.follow(({ theme, density }) => {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  root.dataset.density = density;
});
