// The spectrogram of a part of a sound. The server sends grey (quiet 0, loud 255); the page gives it colours.

import { fetched, isMissing } from "./api.js";

const ROWS = 128;
const BEND = 1.6; // above 1: the noise of a room stays dark, and what is heard stands out
// Colours from quiet to loud, as red, green, blue; on dark ground and on light.
const STOPS = {
  dark: [[17, 19, 21], [24, 52, 58], [32, 122, 110], [116, 208, 160], [246, 246, 214]],
  light: [[255, 255, 255], [206, 232, 224], [92, 174, 152], [16, 104, 92], [8, 34, 44]],
};

function colours(stops) {
  const table = new Uint8Array(256 * 3);
  for (let level = 0; level < 256; level++) {
    const place = (level / 255) ** BEND * (stops.length - 1);
    const first = Math.min(stops.length - 2, Math.floor(place));
    for (let i = 0; i < 3; i++) {
      table[3 * level + i] = stops[first][i] + (place - first) * (stops[first + 1][i] - stops[first][i]);
    }
  }
  return table;
}

// A canvas with the spectrogram, its range in seconds and its frequencies in Hz; null where this server makes none.
export async function spectrogram(id, from, to, columns, isDark, signal) {
  const query = `start=${from.toFixed(3)}&end=${to.toFixed(3)}&columns=${columns}&rows=${ROWS}`;
  let answer;
  try {
    answer = await fetched(`v1/sounds/${id}/spectrogram?${query}`, { signal });
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  const header = (name) => Number(answer.headers.get(name));
  const picture = await createImageBitmap(await answer.blob());
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.width, picture.height];
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(picture, 0, 0);
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height);
  const table = colours(STOPS[isDark ? "dark" : "light"]);
  for (let i = 0; i < pixels.data.length; i += 4) {
    const level = 3 * pixels.data[i];
    for (let j = 0; j < 3; j++) pixels.data[i + j] = table[level + j];
  }
  pen.putImageData(pixels, 0, 0);
  return { canvas, from: header("X-Start"), to: header("X-End"), lowest: header("X-Lowest-Hz"), highest: header("X-Highest-Hz") };
}
