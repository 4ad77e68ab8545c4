// What the page holds, and the few things that every part of it does.

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);

const decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

function element(tag, text = "", kind = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function drawing(tag, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}

function button(text, act, label = "") {
  const made = element("button", text);
  made.type = "button";
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

function press(group, index) {
  [...byId(group).children].forEach((each, number) => each.setAttribute("aria-pressed", String(number === index)));
}

// Four significant digits, more before the point.
function show(value) {
  if (!Number.isFinite(value)) return "–";
  return String(Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4))).replace("-", "−");
}

const signed = (text) => (/^[−-]|^0[.0]*$|^–$/.test(text) ? text.replace("-", "−") : `+${text}`);

// Round numbers between low and high, 1, 2 or 5 times a power of ten apart.
function roundNumbers(low, high) {
  const rough = (high - low) / 4 || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough);
  const count = Math.floor(high / step) - Math.ceil(low / step) + 1;
  return Array.from({ length: Math.max(count, 0) }, (_, index) => (Math.ceil(low / step) + index) * step);
}

const system = window.matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

function toggleTheme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  showTheme();
}

function showTheme() {
  byId("theme-name").textContent = isDark() ? "Light" : "Dark";
  paintMaps();
}

byId("theme").addEventListener("click", toggleTheme);
system.addEventListener("change", showTheme);
