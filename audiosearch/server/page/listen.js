// Sounds from outside the library as queries: a file that is dropped or chosen, and the microphone.

import { ask } from "./api.js";
import { by, icon, say, time } from "./dom.js";

const LONGEST = 10_000; // ms of the microphone: a window or two

let does = null;
let recorder = null;

// Search by a file. Nothing of it is kept.
export async function listen(file, name = file.name) {
  say(`Listening to ${name} …`);
  try {
    const { vector } = await ask("v1/embed/audio", { method: "POST", body: file });
    await does.term({ vector, weight: 1, name });
  } catch (error) {
    say(`${name}: ${error.message}`);
  }
}

function refused(error) {
  if (error.name === "NotAllowedError") return "The browser may not use the microphone.";
  if (error.name === "NotFoundError") return "There is no microphone.";
  return `The microphone cannot be used: ${error.message}`;
}

async function record() {
  if (recorder) return recorder.stop();
  if (!navigator.mediaDevices) return say("Browsers give the microphone to pages of this machine or over https only.");
  let stream;
  try {
    // As it sounds: browsers make speech of it otherwise.
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    stream = await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    return say(refused(error));
  }
  const parts = [];
  const began = performance.now();
  recorder = new MediaRecorder(stream);
  const limit = setTimeout(() => recorder?.stop(), LONGEST);
  const tick = setInterval(() => say(`Recording ${time((performance.now() - began) / 1000)}. Press again to search.`), 200);
  recorder.ondataavailable = ({ data }) => parts.push(data);
  recorder.onstop = () => {
    clearTimeout(limit);
    clearInterval(tick);
    for (const track of stream.getTracks()) track.stop();
    const { mimeType } = recorder;
    recorder = null;
    by("microphone").setAttribute("aria-pressed", "false");
    listen(new Blob(parts, { type: mimeType }), "the microphone");
  };
  recorder.start();
  by("microphone").setAttribute("aria-pressed", "true");
  return null;
}

// `does`: {term(term)}.
export function setUpListening(what) {
  does = what;
  by("microphone").append(icon("microphone"));
  by("microphone").onclick = record;
  const hasFiles = (event) => event.dataTransfer.types.includes("Files");
  let depth = 0; // of dragenter without dragleave, for children have their own
  const mark = (is) => document.body.classList.toggle("dropping", is);
  addEventListener("dragenter", (event) => {
    if (hasFiles(event)) mark(++depth > 0);
  });
  addEventListener("dragleave", (event) => {
    if (hasFiles(event)) mark(--depth > 0);
  });
  addEventListener("dragover", (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    depth = 0;
    mark(false);
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    listen(event.dataTransfer.files[0]);
  });
}
