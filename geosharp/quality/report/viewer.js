// The stage: two layers of a view on one canvas, left and right of a divider.
// Positions are PAN pixels from the view's upper left corner; lengths on the screen are CSS pixels.

const state = { view: 0, left: "", right: "", rendering: data.renderings[0], split: 0.5, zoom: 1, x: 0, y: 0 };
const stage = byId("stage"), canvas = byId("canvas"), divider = byId("divider");
const images = new Map();
let pointer = null; // where it is on the stage, on the screen
let whole = true; // the view is seen from edge to edge, and stays so when the stage changes

const currentView = () => data.views[state.view];
const size = () => ({ width: stage.clientWidth, height: stage.clientHeight });
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function findPicture(title) {
  const layer = currentView().layers.find((each) => each.title === title);
  return layer.pictures[state.rendering] ?? Object.values(layer.pictures)[0];
}

function findImage(title) {
  const index = findPicture(title);
  if (!images.has(index)) {
    const image = new Image();
    image.onload = draw;
    image.src = data.pictures[index];
    images.set(index, image);
  }
  return images.get(index);
}

function fitZoom() {
  const { width, height } = size(), { rect } = currentView();
  return Math.min(width / rect.width, height / rect.height);
}

function zoomTo(zoom, at = { x: size().width / 2, y: size().height / 2 }) {
  const { rect, layers } = currentView(), { width, height } = size();
  const finest = Math.max(...layers.map((layer) => findImage(layer.title).naturalWidth || 1));
  const wanted = clamp(zoom, fitZoom(), Math.max(fitZoom(), (32 * finest) / rect.width));
  const pixel = toPixel(at);
  state.zoom = wanted;
  state.x = pixel.x - (at.x - width / 2) / wanted;
  state.y = pixel.y - (at.y - height / 2) / wanted;
  draw();
}

function fit() {
  const { rect } = currentView();
  Object.assign(state, { zoom: fitZoom(), x: rect.width / 2, y: rect.height / 2 });
  draw();
}

function move(across, down) {
  state.x += across / state.zoom;
  state.y += down / state.zoom;
  draw();
}

// What is larger than the stage covers it; what is smaller stays in the middle.
function settle() {
  const { width, height } = size(), { rect } = currentView();
  const within = (centre, whole, seen) => (seen >= whole ? whole / 2 : clamp(centre, seen / 2, whole - seen / 2));
  state.zoom = Math.max(state.zoom, fitZoom());
  state.x = within(state.x, rect.width, width / state.zoom);
  state.y = within(state.y, rect.height, height / state.zoom);
}

function toScreen(point) {
  const { width, height } = size();
  return { x: width / 2 + (point.x - state.x) * state.zoom, y: height / 2 + (point.y - state.y) * state.zoom };
}

function toPixel(at) {
  const { width, height } = size();
  return { x: state.x + (at.x - width / 2) / state.zoom, y: state.y + (at.y - height / 2) / state.zoom };
}

function draw() {
  settle();
  const { width, height } = size(), density = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  const context = canvas.getContext("2d");
  context.scale(density, density);
  const edge = state.split * width;
  const drawn = [
    drawLayer(context, state.left, 0, edge),
    drawLayer(context, state.right, edge, width),
  ];
  drawWindows(context);
  drawPoints(context);
  drawDivider(context, edge);
  showScale();
  showReadout();
  whole = state.zoom <= fitZoom() * 1.001;
  stage.dataset.ready = String(drawn.every(Boolean));
}

function drawLayer(context, title, from, to) {
  const image = findImage(title), { rect } = currentView();
  if (!image.complete || !image.naturalWidth) return false;
  const corner = toScreen({ x: 0, y: 0 }), width = rect.width * state.zoom, height = rect.height * state.zoom;
  context.save();
  context.beginPath();
  context.rect(from, 0, to - from, size().height);
  context.clip();
  // Enlarged pixels stay squares: what is seen is what is there.
  context.imageSmoothingEnabled = width * (window.devicePixelRatio || 1) < image.naturalWidth;
  context.imageSmoothingQuality = "high";
  context.drawImage(image, corner.x, corner.y, width, height);
  context.restore();
  return true;
}

function outline(context, left, top, width, height) {
  for (const [colour, line] of [["#000a", 3], ["#fff", 1.25]]) {
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(left, top, width, height);
  }
}

function label(context, text, x, y) {
  context.font = "600 12px sans-serif";
  context.lineWidth = 3;
  context.strokeStyle = "#000b";
  context.strokeText(text, x, y);
  context.fillStyle = "#fff";
  context.fillText(text, x, y);
}

function innerViews() {
  const outer = currentView().rect;
  return data.views.filter(({ rect }) =>
    rect.width * rect.height < outer.width * outer.height && rect.row >= outer.row && rect.col >= outer.col &&
    rect.row + rect.height <= outer.row + outer.height && rect.col + rect.width <= outer.col + outer.width);
}

function drawWindows(context) {
  const outer = currentView().rect;
  for (const view of innerViews()) {
    const corner = toScreen({ x: view.rect.col - outer.col, y: view.rect.row - outer.row });
    outline(context, corner.x, corner.y, view.rect.width * state.zoom, view.rect.height * state.zoom);
    label(context, view.title, corner.x + 6, corner.y + 16);
  }
}

function drawPoints(context) {
  points.forEach((point, index) => {
    if (point.view !== state.view) return;
    const cell = cellOf(point), corner = toScreen({ x: cell.left, y: cell.top });
    const wide = cell.width * state.zoom, high = cell.height * state.zoom, least = 7;
    const width = Math.max(wide, least), height = Math.max(high, least);
    outline(context, corner.x - (width - wide) / 2, corner.y - (height - high) / 2, width, height);
    label(context, String(index + 1), corner.x + wide / 2 + width / 2 + 4, corner.y + high / 2 + 4);
  });
}

function drawDivider(context, edge) {
  for (const [colour, width] of [["#0006", 4], ["#fff", 2]]) {
    context.fillStyle = colour;
    context.fillRect(edge - width / 2, 0, width, size().height);
  }
  divider.style.left = `${100 * state.split}%`;
  divider.setAttribute("aria-valuenow", String(Math.round(100 * state.split)));
  divider.setAttribute("aria-valuetext", `${state.left} to ${Math.round(100 * state.split)} %, then ${state.right}`);
}

function showScale() {
  const bar = byId("scale");
  bar.hidden = !data.pixelSize;
  if (!data.pixelSize) return;
  const rough = (130 * data.pixelSize) / state.zoom, power = 10 ** Math.floor(Math.log10(rough));
  const metres = [5, 2, 1].map((factor) => factor * power).find((length) => length <= rough);
  bar.style.width = `${(metres / data.pixelSize) * state.zoom}px`;
  bar.firstElementChild.textContent = metres >= 1000 ? `${metres / 1000} km` : `${Number(metres.toPrecision(1))} m`;
}

function showReadout() {
  const { rect, note } = currentView(), pixel = pointer && toPixel(pointer);
  const inside = pixel && pixel.x >= 0 && pixel.y >= 0 && pixel.x < rect.width && pixel.y < rect.height;
  const place = inside ? `PAN row ${Math.floor(rect.row + pixel.y)}, column ${Math.floor(rect.col + pixel.x)}` : "";
  const extent = `${rect.width} × ${rect.height} PAN pixels`;
  byId("readout").textContent = [note, extent, `${Number((100 * state.zoom).toPrecision(3))} %`, place].filter(Boolean).join(" · ");
}

function point(at) {
  pointer = at;
  showReadout();
}

function setSplit(split) {
  state.split = clamp(split, 0, 1);
  draw();
}

function blink() {
  setSplit(state.split === 1 ? 0 : 1);
}

function fillSelect(select, chosen) {
  select.replaceChildren(...currentView().layers.map(({ title }) => new Option(title, title, false, title === chosen)));
}

function chooseView(index) {
  state.view = (index + data.views.length) % data.views.length;
  images.clear();
  const titles = currentView().layers.map((layer) => layer.title);
  if (!titles.includes(state.left)) state.left = titles[0];
  if (!titles.includes(state.right)) state.right = titles.at(-1);
  fillSelect(byId("left"), state.left);
  fillSelect(byId("right"), state.right);
  press("views", state.view);
  fit();
  showSpectrum();
}

function chooseRendering(index) {
  state.rendering = data.renderings[(index + data.renderings.length) % data.renderings.length];
  press("renderings", data.renderings.indexOf(state.rendering));
  draw();
}

function addButtons(group, titles, choose) {
  byId(group).hidden = titles.length < 2;
  byId(group).replaceChildren(...titles.map((title, index) => button(title, () => choose(index))));
}

const nextRendering = () => chooseRendering(data.renderings.indexOf(state.rendering) + 1);
const KEYS = {
  "+": () => zoomTo(state.zoom * 1.5), "=": () => zoomTo(state.zoom * 1.5), "-": () => zoomTo(state.zoom / 1.5),
  0: fit, 1: () => zoomTo(1 / (window.devicePixelRatio || 1)),
  b: blink, c: () => setSplit(0.5), t: nextRendering, d: toggleTheme,
  "[": () => chooseView(state.view - 1), "]": () => chooseView(state.view + 1),
  s: () => addPoint({ x: state.x, y: state.y }),
};
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function pressKey(event) {
  const focus = document.activeElement;
  const ours = focus === document.body || byId("pictures").contains(focus) || focus === byId("theme");
  if (!ours || focus.tagName === "SELECT" || event.ctrlKey || event.metaKey || event.altKey) return;
  const onStage = focus === stage || focus === divider, arrow = ARROWS[event.key];
  if (onStage && arrow && event.shiftKey) move(80 * arrow[0], 80 * arrow[1]);
  else if (onStage && arrow && (arrow[0] || focus === divider)) setSplit(state.split + 0.02 * (arrow[0] || -arrow[1]));
  else if (focus === divider && event.key === "Home") setSplit(0);
  else if (focus === divider && event.key === "End") setSplit(1);
  else if (KEYS[event.key.toLowerCase()]) KEYS[event.key.toLowerCase()]();
  else return;
  event.preventDefault();
}

function place(event) {
  const box = stage.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function drag(event) {
  const start = place(event), onDivider = divider.contains(event.target);
  if (event.button !== 0 || event.target.closest(".layer")) return;
  let last = start, far = false;
  stage.setPointerCapture(event.pointerId);
  const follow = (moved) => {
    const at = place(moved);
    far ||= Math.hypot(at.x - start.x, at.y - start.y) > 4;
    if (onDivider) setSplit(at.x / size().width);
    else if (far) move(last.x - at.x, last.y - at.y);
    last = at;
  };
  const stop = (ended) => {
    stage.removeEventListener("pointermove", follow);
    if (ended.type === "pointerup" && !onDivider && !far) addPoint(toPixel(start));
  };
  stage.addEventListener("pointermove", follow);
  stage.addEventListener("pointerup", stop, { once: true });
  stage.addEventListener("pointercancel", stop, { once: true });
}

function turnWheel(event) {
  // At its smallest the picture lets the page scroll on.
  if (event.target.closest(".layer") || (event.deltaY > 0 && whole)) return;
  event.preventDefault();
  pointer = place(event);
  zoomTo(state.zoom * Math.exp(-clamp(event.deltaY, -240, 240) / 400), pointer);
}

addButtons("views", data.views.map((view) => view.title), chooseView);
addButtons("renderings", data.renderings, chooseRendering);
for (const [id, key] of [["zoom-in", "+"], ["zoom-out", "-"], ["zoom-fit", "0"], ["zoom-one", "1"], ["blink", "b"], ["halve", "c"]]) {
  byId(id).addEventListener("click", KEYS[key]);
}
for (const side of ["left", "right"]) {
  byId(side).addEventListener("change", (event) => { state[side] = event.target.value; draw(); });
}
stage.addEventListener("pointerdown", drag);
stage.addEventListener("pointermove", (event) => point(place(event)));
stage.addEventListener("pointerleave", () => point(null));
stage.addEventListener("wheel", turnWheel, { passive: false });
stage.addEventListener("dblclick", (event) => {
  const { row, col } = currentView().rect, pixel = toPixel(place(event));
  const found = innerViews().find(({ rect }) => pixel.y + row >= rect.row && pixel.x + col >= rect.col &&
    pixel.y + row < rect.row + rect.height && pixel.x + col < rect.col + rect.width);
  if (found && !event.target.closest(".layer, #divider")) chooseView(data.views.indexOf(found));
});
document.addEventListener("keydown", pressKey);
new ResizeObserver(() => (whole ? fit() : draw())).observe(stage);
chooseView(0);
press("renderings", 0);
