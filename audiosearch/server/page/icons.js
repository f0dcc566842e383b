// Icons on a grid of 16 by 16, drawn for this page: strokes of 1.5, round ends.

const line = (path) => `<path d="${path}" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"/>`;
const solid = (path) => `<path d="${path}" fill="currentColor"/>`;

export const ICONS = {
  play: solid("M5 3.2v9.6a.6.6 0 0 0 .92.5l7.3-4.8a.6.6 0 0 0 0-1L5.92 2.7A.6.6 0 0 0 5 3.2z"),
  pause: solid("M4 3h3v10H4zM9 3h3v10H9z"),
  previous: solid("M4 3h1.6v10H4zM13 3.4v9.2L6.4 8z"),
  next: solid("M10.4 3H12v10h-1.6zM3 3.4v9.2L9.6 8z"),
  search: line("M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.4 10.4 14 14"),
  plus: line("M8 3.5v9M3.5 8h9"),
  minus: line("M3.5 8h9"),
  close: line("M4 4l8 8M12 4l-8 8"),
  more: line("M2.5 9c1.5-4 3-4 4.5 0s3 4 4.5 0M12 2v5M9.5 4.5h5"),
  less: line("M2.5 9c1.5-4 3-4 4.5 0s3 4 4.5 0M9.5 4.5h5"),
  star: line("M8 2.2l1.7 3.6 3.9.5-2.9 2.7.8 3.9L8 11l-3.5 1.9.8-3.9L2.4 6.3l3.9-.5z"),
  starred: solid("M8 1.6l2 4 4.4.6-3.2 3.1.8 4.4L8 11.6l-4 2.1.8-4.4L1.6 6.2 6 5.6z"),
  keep: line("M3 5.5h10v7.5H3zM5 3h6M8 7.5v3.5M6.2 9.2h3.6"),
  kept: line("M3 5.5h10v7.5H3zM5 3h6M5.9 9.3l1.5 1.5 2.8-3"),
  download: line("M8 2.5v7M5 7l3 3 3-3M3 13h10"),
  copy: line("M5.5 5.5h7.5v7.5H5.5zM10.5 3H3v7.5"),
  details: line("M2.5 3h11v10h-11zM9.5 3v10"),
  side: line("M2.5 3h11v10h-11zM6.5 3v10"),
  filter: line("M2.5 4h11M4.5 8h7M6.5 12h3"),
  settings: line("M2.5 5h6M11.5 5h2M2.5 11h2M7.5 11h6M10 3.5v3M6 9.5v3"),
  help: line("M6 6.2a2 2 0 1 1 2.7 1.9c-.5.2-.7.5-.7 1.2M8 12v.1"),
  microphone: line("M8 10a2 2 0 0 0 2-2V4a2 2 0 1 0-4 0v4a2 2 0 0 0 2 2zM4 8a4 4 0 0 0 8 0M8 12v2"),
  loop: line("M4 5.5h7.5a2 2 0 0 1 2 2M12 10.5H4.5a2 2 0 0 1-2-2M6 3.5l-2 2 2 2M10 8.5l2 2-2 2"),
  level: line("M2.5 8h11M4.5 5v6M8 3.5v9M11.5 5v6"),
  volume: line("M2.5 6.2v3.6h2.3L8 12.5v-9L4.8 6.2zM10.5 6a3 3 0 0 1 0 4M12.3 4.2a5.5 5.5 0 0 1 0 7.6"),
  chain: line("M3 4h7M3 8h7M3 12h4M11 10l2.5 2-2.5 2"),
  closer: line("M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.4 10.4 14 14M7 5.2v3.6M5.2 7h3.6"),
  wider: line("M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.4 10.4 14 14M5.2 7h3.6"),
  folder: line("M2.5 4.5h4l1.5 1.5h5.5v6.5h-11z"),
  pen: line("M3 13l.7-2.8 7-7 2.1 2.1-7 7zM9.3 4.6l2.1 2.1"),
  bin: line("M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5"),
  again: line("M12.5 5.5A5 5 0 1 0 13 8.5M12.8 2.5v3.2H9.6"),
};
