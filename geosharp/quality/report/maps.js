// Maps of disagreement: 8-bit codes on one linear scale, coloured for the theme.

const STOPS = {
  light: { signed: ["#14507f", "#7fb0d3", "#f3f4f3", "#e2a56e", "#9a4208"], rising: ["#f3f4f3", "#9cc8ce", "#3c8f9d", "#0b5563", "#062a33"] },
  dark: { signed: ["#8cc4ee", "#2f6a96", "#1a1f21", "#96561f", "#f5b57a"], rising: ["#1a1f21", "#14515c", "#2b8796", "#6cc3cf", "#dff5f7"] },
};

// RGB of a part from 0 to 1 along the stops.
function colour(stops, part) {
  const at = part * (stops.length - 1), index = Math.min(Math.floor(at), stops.length - 2), rest = at - index;
  const channel = (text, place) => parseInt(text.slice(place, place + 2), 16);
  return [1, 3, 5].map((place) => Math.round(channel(stops[index], place) * (1 - rest) + channel(stops[index + 1], place) * rest));
}

function paint(target, rows, cols, codes, stops) {
  target.width = cols;
  target.height = rows;
  const context = target.getContext("2d"), pixels = context.createImageData(cols, rows);
  const table = Array.from({ length: 255 }, (_, code) => colour(stops, code / 254));
  codes.forEach((code, index) => {
    if (code < 255) pixels.data.set([...table[code], 255], 4 * index);
  });
  context.putImageData(pixels, 0, 0);
}

function paintMaps() {
  data.maps.forEach((group, number) => {
    const stops = STOPS[isDark() ? "dark" : "light"][group.signed ? "signed" : "rising"];
    document.querySelectorAll(`canvas[data-group="${number}"]`).forEach((target) => {
      const map = group.maps[Number(target.dataset.map)];
      map.values ??= decode(map.codes);
      target.classList.toggle("coarse", map.cols < 240); // its pixels are larger than the screen's
      paint(target, map.rows, map.cols, map.values, stops);
    });
    const ramp = Uint8Array.from({ length: 255 }, (_, code) => code);
    document.querySelectorAll(`canvas[data-legend="${number}"]`).forEach((target) => paint(target, 1, 255, ramp, stops));
  });
}

// The value under the pointer; a canvas is painted as large as it fits, from its upper left corner.
function readMap(event) {
  const target = event.target, group = data.maps[Number(target.dataset.group)];
  const map = group.maps[Number(target.dataset.map)], scale = Math.min(target.clientWidth / map.cols, target.clientHeight / map.rows);
  const col = Math.floor(event.offsetX / scale), row = Math.floor(event.offsetY / scale);
  const code = col < map.cols && row < map.rows ? map.values[row * map.cols + col] : 255;
  const limit = code === 254 ? "≥ " : code === 0 && group.signed ? "≤ " : "";
  const value = group.low + ((group.high - group.low) * code) / 254;
  showMapValue(target, code === 255 ? "no value" : `${limit}${show(value)} ${group.unit}`);
}

function showMapValue(target, text) {
  const output = target.closest("figure").querySelector("figcaption span:last-child");
  output.dataset.still ??= output.textContent;
  output.textContent = text ?? output.dataset.still;
}

document.querySelectorAll("canvas[data-map]").forEach((target) => {
  target.addEventListener("pointermove", readMap);
  target.addEventListener("pointerleave", () => showMapValue(target));
});
showTheme();
