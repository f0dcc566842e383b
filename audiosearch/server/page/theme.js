// Before the first paint, and so no module: the page does not flash in the other colours.
try {
  const { theme, density } = JSON.parse(localStorage.getItem("audiosearch-settings")) ?? {};
  if (theme && theme !== "system") document.documentElement.dataset.theme = theme;
  document.documentElement.dataset.density = density ?? "compact";
} catch {
  // no settings yet
}
