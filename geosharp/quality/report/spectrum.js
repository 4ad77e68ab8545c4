// The values behind a clicked point: MS against the result, as a chart and as a table.

const points = [];
let chosen = -1;
const MOST_POINTS = 9;

function cellOf({ view, x, y }) {
  const { rect, spectra } = data.views[view];
  const width = rect.width / spectra.cols, height = rect.height / spectra.rows;
  const col = clamp(Math.floor(x / width), 0, spectra.cols - 1), row = clamp(Math.floor(y / height), 0, spectra.rows - 1);
  return { row, col, width, height, left: col * width, top: row * height };
}

function readCube(spectra, which) {
  spectra.cubes ??= spectra.codes.map((text) => new DataView(decode(text).buffer));
  return spectra.cubes[which];
}

function valuesAt(point, which) {
  const { spectra } = data.views[point.view], cell = cellOf(point), cube = readCube(spectra, which);
  return data.bands.map((_, band) => {
    const code = cube.getUint16(2 * ((band * spectra.rows + cell.row) * spectra.cols + cell.col), true);
    return code === 65535 ? NaN : spectra.low + spectra.step * code;
  });
}

function addPoint({ x, y }) {
  const { rect, spectra } = currentView();
  if (!spectra || x < 0 || y < 0 || x >= rect.width || y >= rect.height) return;
  if (points.length === MOST_POINTS) points.shift();
  points.push({ view: state.view, x, y });
  choosePoint(points.length - 1);
}

function choosePoint(index) {
  chosen = index;
  draw();
  showSpectrum();
}

function showSpectrum() {
  byId("hint").textContent = points.length ? "" : currentView().spectra
    ? "Click the picture for the values of MS and of the result at that place."
    : "This view holds no spectra.";
  const buttons = points.map((_, index) => button(String(index + 1), () => showPoint(index), `Point ${index + 1}`));
  if (points.length) buttons.push(button("Clear", clearPoints));
  byId("points").replaceChildren(...buttons);
  press("points", chosen);
  byId("spectrum").replaceChildren(...(points[chosen] ? drawSpectrum(points[chosen]) : []));
}

function showPoint(index) {
  if (points[index].view !== state.view) chooseView(points[index].view);
  choosePoint(index);
}

function clearPoints() {
  points.length = 0;
  choosePoint(-1);
}

function drawSpectrum(point) {
  const { rect } = data.views[point.view], cell = cellOf(point);
  const row = Math.floor(rect.row + point.y), col = Math.floor(rect.col + point.x);
  const mean = `mean of ${show(cell.width)} × ${show(cell.height)} PAN pixels`;
  const where = element("p", `PAN row ${row}, column ${col} · ${mean}`, "note");
  const key = element("p", "", "note");
  key.append(element("span", "MS", "key ms"), element("span", "result", "key fused"));
  return [where, drawCurves(point), key, tabulate(point)];
}

// Bands stand at their wavelengths where all are known, else one after the other.
const known = data.bands.every((band) => band.wavelength !== null);

function drawCurves(point) {
  const width = 350, height = 172, left = 44, right = 12, top = 10, bottom = 34;
  const at = data.bands.map((band, index) => (known ? band.wavelength : index)), order = at.map((_, band) => band).sort((one, other) => at[one] - at[other]);
  const [ms, fused] = [valuesAt(point, 0), valuesAt(point, 1)];
  const others = points.filter((each) => each !== point).map((each) => valuesAt(each, 1));
  const all = [ms, fused].flat().filter(Number.isFinite);
  const [low, high] = all.length ? [Math.min(...all), Math.max(...all)] : [0, 1], pad = 0.08 * (high - low) || 1;
  const first = Math.min(...at), last = Math.max(...at);
  const x = (band) => left + (first === last ? 0.5 : 0.03 + (0.94 * (at[band] - first)) / (last - first)) * (width - left - right);
  const y = (value) => top + ((high + pad - value) / (high - low + 2 * pad)) * (height - top - bottom);
  const chart = drawing("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Spectrum of point ${chosen + 1}; its values are in the table below` });
  const clip = drawing("clipPath", { id: "plot" });
  clip.append(drawing("rect", { x: left, y: top, width: width - left - right, height: height - top - bottom }));
  chart.append(clip);
  for (const value of roundNumbers(low, high)) {
    chart.append(drawing("path", { class: "grid", d: `M${left} ${y(value)}H${width - right}` }));
    chart.append(drawing("text", { x: left - 6, y: y(value) + 3.5, "text-anchor": "end" }, show(value)));
  }
  chart.append(drawing("path", { class: "axis", d: `M${left} ${height - bottom}H${width - right}` }));
  let free = -Infinity;
  for (const band of order) {
    const name = known ? show(at[band]) : data.bands[band].name;
    const half = 3 * name.length + 3;
    if (x(band) - half < free) continue;
    free = x(band) + half;
    chart.append(drawing("text", { x: clamp(x(band), half, width - half), y: height - bottom + 14, "text-anchor": "middle" }, name));
  }
  if (known) {
    chart.append(drawing("text", { x: width - right, y: height - 5, "text-anchor": "end" }, "wavelength, nm"));
  }
  const line = (values) => order.filter((band) => Number.isFinite(values[band])).map((band) => `${x(band)},${y(values[band])}`).join(" ");
  for (const values of others) chart.append(drawing("polyline", { class: "line other", points: line(values), "clip-path": "url(#plot)" }));
  for (const [kind, values] of [["ms", ms], ["fused", fused]]) {
    chart.append(drawing("polyline", { class: `line ${kind}`, points: line(values) }));
    for (const band of order.filter((each) => Number.isFinite(values[each]))) {
      chart.append(drawing("circle", { class: `dot ${kind}`, cx: x(band), cy: y(values[band]), r: kind === "ms" ? 4 : 2.6 }));
    }
  }
  return chart;
}

function tabulate(point) {
  const [ms, fused] = [valuesAt(point, 0), valuesAt(point, 1)];
  const table = element("table"), head = table.createTHead().insertRow(), body = table.createTBody();
  for (const title of ["Band", "MS", "Result", "Difference", ""]) head.append(element("th", title));
  const largest = Math.max(0.001, ...[ms, fused].flat().filter(Number.isFinite).map(Math.abs));
  const decimals = clamp(3 - Math.floor(Math.log10(largest)), 1, 6);
  const print = (value) => (Number.isFinite(value) ? value.toFixed(decimals).replace("-", "−") : "–");
  data.bands.forEach((band, index) => {
    const row = body.insertRow(), change = fused[index] - ms[index];
    const share = ms[index] ? `${signed(((100 * change) / ms[index]).toFixed(1))} %` : "";
    row.append(element("td", band.name));
    for (const text of [print(ms[index]), print(fused[index]), signed(print(change)), Number.isFinite(change) ? share : ""]) {
      row.append(element("td", text));
    }
  });
  return table;
}
