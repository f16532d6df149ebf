// The second reader's page: films in, a worklist and a viewer out. Nothing is stored, and nothing
// is sent anywhere but to the server that the page came from.

const AT_ONCE = 2; // requests under way
const TRIES = 10; // of a film, where the server is busy
const COLUMNS = ["file", "probability", "threshold", "label", "model_version", "error"];
// What is taken of a folder that is dropped; files without a suffix where they are DICOM.
const SUFFIXES = /\.(jpe?g|png|dcm|dicom)$/i;
// Spreadsheets take a text that starts so for a formula.
const FORMULA = /^[=+\-@＝＋－＠\t\r\n]/;
const MAX_SIDE = 4096; // pixels of a picture that is drawn
const MAX_ZOOM = 16;
const ZOOM_STEP = 1.25;
const HEAT_SIDE = 128; // pixels of the enlarged heat map
// Matplotlib's inferno, as in the report: equal steps look equal, to the colour-blind too.
const COLOURS = [
  [0, 0, 4], [33, 12, 74], [87, 16, 110], [138, 34, 106], [188, 55, 84], [228, 90, 49],
  [249, 142, 9], [249, 203, 53], [252, 255, 164],
];
const NO_PROOF =
  "A heat map proves nothing: it shows where the score is sensitive, not why, and not that there " +
  "is a finding.";

const byId = (id) => document.getElementById(id);
const canvas = byId("canvas");

// ---- What is known -------------------------------------------------------------------------

const films = []; // {number, name, file, row, button, reading, error, whole, seen, address}
const waiting = []; // films that are not asked for yet
let about = null; // the server's /about
let token = ""; // in memory only
let workers = 0;
let stop = new AbortController();
let open = null; // the film in the viewer
let pictures = { whole: null, seen: null, heat: null }; // of the open film, decoded
// x and y: how far the film is moved, canvas pixels; seen and heat: what is wanted of every film.
const view = { zoom: 1, x: 0, y: 0, seen: false, heat: false };
let drag = null; // where a drag for window and level began, and the two then

// ---- The server ----------------------------------------------------------------------------

function ask(path, options = {}) {
  const proof = token ? { Authorization: `Bearer ${token}` } : {};
  return fetch(path, { ...options, headers: { ...options.headers, ...proof }, cache: "no-store" });
}

async function reason(response) {
  const told = await response.json().catch(() => null);
  return told?.error || `The server answered with status ${response.status}.`;
}

async function connect() {
  const response = await ask("about").catch(() => null);
  if (response?.ok) {
    about = await response.json();
    showModel();
  } else if (response?.status === 401) {
    askForToken(token ? await reason(response) : "");
  } else {
    showTrouble(response ? await reason(response) : "The server does not answer.");
    byId("model").textContent = "The model is not known: reload the page to ask again.";
  }
}

function askForToken(trouble) {
  showTrouble(trouble);
  byId("model").textContent = "The server tells its model to those with a token.";
  byId("token-form").hidden = false;
  byId("token").focus();
}

function showTrouble(text) {
  byId("trouble").textContent = text;
  byId("trouble").hidden = !text;
}

function showModel() {
  showTrouble("");
  byId("token-form").hidden = true;
  byId("files").disabled = false;
  byId("notice").textContent = about.notice;
  byId("model").textContent =
    `Model ${about.model}, version ${about.version}, threshold ${figure(about.threshold)}`;
  const report = byId("report");
  report.hidden = !about.report;
  report.textContent = about.token_required ? "Save the model's report" : "The model's report";
}

// A link cannot carry the token, and a blob in a tab would be under this page's policy, which has
// no room for the report's own styles: so it is saved.
async function saveReport() {
  const response = await ask("report").catch(() => null);
  if (response?.ok) save(await response.blob(), "report.html");
  else showTrouble(response ? await reason(response) : "The server does not answer.");
}

function post(film, signal) {
  const headers = { "Content-Type": "application/octet-stream" };
  return ask("readings", { method: "POST", body: film.file, headers, signal });
}

async function postUntilTaken(film, signal) {
  for (let tries = 1; ; tries++) {
    const response = await post(film, signal);
    if (response.status !== 429 || tries === TRIES) return response;
    await pause(Number(response.headers.get("Retry-After")) || 1, signal);
  }
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", reject, { once: true });
  });
}

// ---- Reading films -------------------------------------------------------------------------

function add(files) {
  if (!about) return;
  for (const { name, file } of files) {
    const film = { number: films.length, name, file, reading: null, error: "" };
    films.push(film);
    waiting.push(film);
    addRow(film);
  }
  while (workers < AT_ONCE && waiting.length) work();
  showProgress();
}

async function work() {
  workers++;
  for (let film = waiting.shift(); film; film = waiting.shift()) await read(film, stop.signal);
  workers--;
  showProgress();
}

async function read(film, signal) {
  try {
    await answer(film, signal);
  } catch {
    film.error = signal.aborted
      ? "Cancelled."
      : "The file cannot be read, or the server does not answer.";
  }
  if (films.includes(film)) finish(film); // unless the worklist was cleared
}

async function answer(film, signal) {
  const { size } = film.file;
  if (size > about.max_body_bytes) {
    film.error = `The file has ${size} bytes; at most ${about.max_body_bytes} are read.`;
    return;
  }
  const response = await postUntilTaken(film, signal);
  if (!response.ok) {
    film.error = await reason(response);
    return;
  }
  const { seen, film: whole, ...reading } = await response.json();
  film.seen = seen && pngOf(seen);
  film.whole = whole && pngOf(whole);
  film.reading = reading;
}

function pngOf(base64) {
  return new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], { type: "image/png" });
}

function finish(film) {
  fillRow(film);
  place(film);
  if (film.error) byId("failure").textContent = `${film.name}: ${film.error}`;
  if (film === open) show(film);
  showProgress();
}

function abort() {
  stop.abort();
  stop = new AbortController();
  return waiting.splice(0);
}

function cancel() {
  for (const film of abort()) {
    film.error = "Cancelled.";
    finish(film);
  }
}

function clear() {
  abort();
  for (const { address } of films.splice(0)) if (address) URL.revokeObjectURL(address);
  byId("rows").replaceChildren();
  byId("failure").textContent = "";
  showTrouble("");
  show(null);
  showProgress();
  byId("files").focus();
}

function showProgress() {
  const done = films.filter((film) => film.reading || film.error).length;
  const failed = films.filter((film) => film.error).length;
  const running = done < films.length;
  byId("progress").textContent = films.length
    ? `${done} of ${films.length} done${failed ? `, ${failed} failed` : ""}`
    : "No films yet.";
  byId("bar").max = films.length || 1;
  byId("bar").value = done;
  byId("bar").hidden = byId("cancel").hidden = !running;
  byId("table").hidden = !films.length;
  byId("clear").disabled = !films.length;
  byId("export").disabled = !films.length || running;
}

// ---- Files ---------------------------------------------------------------------------------

const named = (file) => ({ name: file.name, file });

// Entries have to be taken before the first await: the list of what was dropped is empty then.
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  const found = await Promise.all(entries.map((entry) => inside(entry, "")));
  return found.flat();
}

async function inside(entry, folder) {
  const name = folder + entry.name;
  if (entry.isDirectory) {
    const entries = await entriesOf(entry.createReader());
    const found = await Promise.all(entries.map((inner) => inside(inner, `${name}/`)));
    return found.flat();
  }
  const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
  return !folder || (await isFilm(file)) ? [{ name, file }] : [];
}

// A reader gives some entries at a time, and none at the end.
async function entriesOf(reader) {
  const entries = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    entries.push(...some);
  }
}

async function isFilm(file) {
  if (file.name.startsWith(".")) return false;
  if (file.name.includes(".")) return SUFFIXES.test(file.name);
  return (await file.slice(128, 132).text()) === "DICM";
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // Once the browser has taken hold of it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function asCsv() {
  const lines = films.map(({ name, reading, error }) => {
    const row = { ...reading, file: name, error };
    return COLUMNS.map((column) => cell(row[column])).join(",");
  });
  return [COLUMNS.join(","), ...lines, ""].join("\n");
}

function cell(value) {
  if (typeof value !== "string") return String(value ?? "");
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// ---- The worklist --------------------------------------------------------------------------

const figure = (value) => value.toFixed(3);
const calls = (reading) => reading.probability >= reading.threshold;

function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

// A file's name breaks after its punctuation, not in the middle of a word.
function breakable(name) {
  return name.split(/(?<=[_\-.,/])/).flatMap((piece) => [piece, element("wbr", "")]);
}

// Answers by probability, then failures, then what is under way.
function order(a, b) {
  const group = (film) => (film.reading ? 0 : film.error ? 1 : 2);
  const rise = (b.reading?.probability ?? 0) - (a.reading?.probability ?? 0);
  return group(a) - group(b) || rise || a.number - b.number;
}

function addRow(film) {
  film.button = element("button", "name", ...breakable(film.name));
  film.button.type = "button";
  film.button.tabIndex = -1;
  const head = element("th", "", element("div", "film", element("span", "thumb"), film.button));
  head.scope = "row";
  film.row = element("tr", "", head);
  film.row.addEventListener("click", () => openFilm(film));
  fillRow(film);
  byId("rows").append(film.row);
  if (!listHasFocus()) moveTo((open ?? films[0]).button);
}

// The head stays where it is, with the focus if it has it.
function fillRow(film) {
  const [head, ...cells] = film.row.children;
  for (const cell of cells) cell.remove();
  film.row.append(...(film.reading ? answerCells(film) : [noAnswerCell(film)]));
  if (!film.seen || film.address) return;
  film.address = URL.createObjectURL(film.seen);
  const picture = element("img", "");
  picture.alt = "";
  picture.src = film.address;
  head.querySelector(".thumb").append(picture);
}

function answerCells({ reading }) {
  return [
    element("td", "", element("span", "number", figure(reading.probability)), scaleOf(reading)),
    element("td", "", labelOf(reading)),
  ];
}

function noAnswerCell(film) {
  const text = element("span", film.error ? "failed" : "soft", film.error || "Waiting");
  const made = element("td", "", text);
  made.colSpan = 2;
  return made;
}

function labelOf(reading) {
  const symbol = element("span", "", calls(reading) ? "▲ " : "▽ ");
  symbol.ariaHidden = "true";
  return element("span", `label ${calls(reading) ? "called" : "quiet"}`, symbol, reading.label);
}

// The probability as a bar, 0 to 1, with a tick at the threshold; the figures stand beside it.
function scaleOf(reading) {
  const fill = element("span", calls(reading) ? "fill called" : "fill");
  const tick = element("span", "tick");
  fill.style.width = `${100 * reading.probability}%`;
  tick.style.left = `${100 * reading.threshold}%`;
  const scale = element("span", "scale", fill, tick);
  scale.ariaHidden = "true";
  return scale;
}

const listHasFocus = () => byId("rows").contains(document.activeElement);

// A row that is moved in the document loses the focus.
function place(film) {
  const focused = document.activeElement === film.button;
  films.sort(order);
  byId("rows").insertBefore(film.row, films[films.indexOf(film) + 1]?.row ?? null);
  if (focused) film.button.focus({ preventScroll: true });
  else if (!listHasFocus()) moveTo((open ?? films[0]).button);
}

// One row at a time is in the order of the Tab key; the arrows go from row to row.
function moveTo(button) {
  for (const film of films) film.button.tabIndex = film.button === button ? 0 : -1;
}

function onListKey(event) {
  const here = films.findIndex((film) => film.button === event.target);
  const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: films.length - 1 }[event.key];
  if (here < 0 || to === undefined) return;
  event.preventDefault();
  films[Math.min(Math.max(to, 0), films.length - 1)].button.focus();
}

// ---- The open film -------------------------------------------------------------------------

function openFilm(film) {
  show(film);
  film.button.focus({ preventScroll: true });
  if (matchMedia("(max-width: 899px)").matches) byId("viewer").scrollIntoView();
}

async function show(film) {
  open = film;
  for (const { button } of films) button.ariaCurrent = button === film?.button ? "true" : null;
  showFigures(film);
  setPictures({ whole: null, seen: null, heat: null });
  showNote(film ? "Opening the film …" : "Open a film of the worklist to see it here.");
  const [whole, seen] = await Promise.all([decode(film?.whole || film?.file), decode(film?.seen)]);
  if (open !== film) {
    for (const picture of [whole, seen]) picture?.close();
    return;
  }
  setPictures({ whole, seen, heat: seen && heatOf(film.reading.heatmap) });
  if (film && !whole) showNote("This browser cannot show the file.");
  resetView();
  showParts();
}

function setPictures(next) {
  for (const picture of [pictures.whole, pictures.seen]) picture?.close();
  pictures = next;
}

// Null is what the browser cannot read.
async function decode(blob) {
  if (!blob) return null;
  const picture = await createImageBitmap(blob).catch(() => null);
  const scale = picture ? MAX_SIDE / Math.max(picture.width, picture.height) : 1;
  if (scale >= 1) return picture;
  const smaller = await createImageBitmap(picture, {
    resizeWidth: Math.max(1, Math.round(scale * picture.width)),
    resizeHeight: Math.max(1, Math.round(scale * picture.height)),
    resizeQuality: "high",
  });
  picture.close();
  return smaller;
}

function showFigures(film) {
  const reading = film?.reading;
  byId("film-name").replaceChildren(...breakable(film ? film.name : "No film is open"));
  byId("film-label").replaceChildren(...(reading ? [labelOf(reading)] : []));
  byId("film-error").textContent = film?.error ? `No answer. ${film.error}` : "";
  byId("film-error").hidden = !film?.error;
  byId("film-scale").replaceChildren(...(reading ? [scaleOf(reading)] : []));
  byId("film-figures").textContent = reading ? figuresOf(reading) : "";
  byId("film-scale").hidden = byId("film-figures").hidden = !reading;
}

function figuresOf(reading) {
  const side = calls(reading) ? "at or above" : "below";
  return (
    `Probability ${figure(reading.probability)}, ${side} the threshold ` +
    `${figure(reading.threshold)}. Model version ${reading.model_version}.`
  );
}

function showNote(text) {
  byId("film-note").textContent = text;
  draw();
}

// What is shown of the open film, and what else of it can be.
function showParts() {
  const { seen, heat } = pictures;
  byId("seen").disabled = !seen;
  byId("heat").disabled = byId("opacity").disabled = !heat;
  byId("heat").checked = heatShown();
  byId(seenShown() ? "seen" : "whole").checked = true;
  const shown = seenShown() ? "what the net saw" : "whole film";
  canvas.ariaLabel = open ? `${open.name}, ${shown}` : "Film";
  byId("film-note").hidden = Boolean(part());
  byId("caption-text").textContent = captionOf(open?.reading);
  draw();
}

function captionOf(reading) {
  if (!reading || pictures.heat) return NO_PROOF;
  return reading.heatmap ? "The heat map of this film is empty." : "This film has no heat map.";
}

// The heat map lies on what the net saw, and on nothing else.
const heatShown = () => view.heat && Boolean(pictures.heat);
const seenShown = () => view.seen && Boolean(pictures.seen);
const part = () => (seenShown() ? pictures.seen : pictures.whole);

function want(seen, heat) {
  view.seen = seen;
  view.heat = heat;
  showParts();
}

// ---- Drawing -------------------------------------------------------------------------------

const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
let due = false;

function draw() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    paint();
  });
}

function paint() {
  context.globalAlpha = 1;
  context.fillRect(0, 0, canvas.width, canvas.height);
  const picture = part();
  if (!picture) return;
  const box = boxOf(picture);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, ...box);
  applyWindow(box);
  if (!heatShown()) return;
  context.globalAlpha = byId("opacity").value / 100;
  context.drawImage(pictures.heat, ...box);
}

// Where the picture lies on the canvas: [left, top, width, height]. It fits where it is not
// enlarged, and leaves no room at a side where it is larger than the canvas.
function boxOf(picture) {
  const fit = Math.min(canvas.width / picture.width, canvas.height / picture.height);
  const [width, height] = [picture.width, picture.height].map((side) => side * fit * view.zoom);
  const hold = (by, room) => Math.max(-room, Math.min(room, by));
  view.x = hold(view.x, Math.max(0, (width - canvas.width) / 2));
  view.y = hold(view.y, Math.max(0, (height - canvas.height) / 2));
  return [
    (canvas.width - width) / 2 + view.x, (canvas.height - height) / 2 + view.y, width, height,
  ];
}

// Level and window are percent of the range of grey: 50 and 100 leave the film as it is.
function greys(level, window) {
  const low = level - window / 2;
  return Uint8ClampedArray.from({ length: 256 }, (_, grey) => (255 * (grey / 2.55 - low)) / window);
}

function applyWindow([left, top, width, height]) {
  const [level, window] = [Number(byId("level").value), Number(byId("window").value)];
  if (level === 50 && window === 100) return;
  const x = Math.max(0, Math.floor(left));
  const y = Math.max(0, Math.floor(top));
  const right = Math.min(canvas.width, Math.ceil(left + width));
  const bottom = Math.min(canvas.height, Math.ceil(top + height));
  const image = context.getImageData(x, y, right - x, bottom - y);
  const { data } = image;
  const table = greys(level, window);
  for (let i = 0; i < data.length; i += 4) {
    data[i] = table[data[i]];
    data[i + 1] = table[data[i + 1]];
    data[i + 2] = table[data[i + 2]];
  }
  context.putImageData(image, x, y);
}

// ---- The heat map --------------------------------------------------------------------------

function colour(heat) {
  const at = heat * (COLOURS.length - 1);
  const from = Math.min(Math.floor(at), COLOURS.length - 2);
  return COLOURS[from].map((low, i) => low + (at - from) * (COLOURS[from + 1][i] - low));
}

// Cubic convolution of one row or column, held at its ends.
function enlarge(values, side) {
  const value = (i) => values[Math.max(0, Math.min(values.length - 1, i))];
  return Array.from({ length: side }, (_, pixel) => {
    const at = ((pixel + 0.5) * values.length) / side - 0.5;
    const i = Math.floor(at);
    const t = at - i;
    const [a, b, c, d] = [value(i - 1), value(i), value(i + 1), value(i + 2)];
    return b + (t / 2) * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
  });
}

const transpose = (rows) => rows[0].map((_, i) => rows.map((row) => row[i]));

// Rises from clear to covered, as in the report. Null where there is nothing to show.
function heatOf(heatmap) {
  if (!heatmap?.flat().some((heat) => heat > 0)) return null;
  const tall = transpose(heatmap.map((row) => enlarge(row, HEAT_SIDE)));
  const smooth = transpose(tall.map((column) => enlarge(column, HEAT_SIDE))).flat();
  const image = new ImageData(HEAT_SIDE, HEAT_SIDE);
  smooth.forEach((value, i) => {
    const heat = Math.max(0, Math.min(1, value));
    image.data.set([...colour(heat), 255 * heat], 4 * i);
  });
  const made = new OffscreenCanvas(HEAT_SIDE, HEAT_SIDE);
  made.getContext("2d").putImageData(image, 0, 0);
  return made;
}

function drawLegend() {
  const legend = byId("legend");
  const brush = legend.getContext("2d");
  for (let x = 0; x < legend.width; x++) {
    brush.fillStyle = `rgb(${colour(x / (legend.width - 1)).map(Math.round).join(" ")})`;
    brush.fillRect(x, 0, 1, legend.height);
  }
}

// ---- Zoom, window and level ----------------------------------------------------------------

function zoomBy(factor, x = 0, y = 0) {
  const zoom = Math.max(1, Math.min(MAX_ZOOM, view.zoom * factor));
  // What lies under the point (x, y), seen from the middle of the canvas, stays there.
  view.x = x - ((x - view.x) * zoom) / view.zoom;
  view.y = y - ((y - view.y) * zoom) / view.zoom;
  view.zoom = zoom;
  byId("zoom").textContent = `${Math.round(100 * zoom)} %`;
  // A finger moves an enlarged film, and scrolls the page over any other.
  canvas.style.touchAction = zoom > 1 ? "none" : "pan-y";
  draw();
}

function resetZoom() {
  zoomBy(1 / view.zoom);
}

function resetWindow() {
  setSlider("level", 50);
  setSlider("window", 100);
}

function resetView() {
  resetWindow();
  resetZoom();
}

function moveBy(x, y) {
  view.x += x;
  view.y += y;
  draw();
}

function setSlider(id, value) {
  const slider = byId(id);
  slider.value = value;
  document.querySelector(`output[for=${id}]`).textContent = `${slider.value} %`;
  draw();
}

// Canvas pixels for one pixel of the page.
const density = () => canvas.width / canvas.clientWidth;

function onWheel(event) {
  event.preventDefault();
  const x = (event.offsetX - canvas.clientWidth / 2) * density();
  const y = (event.offsetY - canvas.clientHeight / 2) * density();
  const turned = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 33 : 1);
  zoomBy(Math.exp(-turned / 400), x, y);
}

function onPress(event) {
  canvas.setPointerCapture(event.pointerId);
  const windows = event.button === 2 || event.shiftKey;
  const [level, window] = [Number(byId("level").value), Number(byId("window").value)];
  drag = windows ? { x: event.clientX, y: event.clientY, level, window } : null;
}

function onDrag(event) {
  if (!canvas.hasPointerCapture(event.pointerId)) return;
  if (drag) {
    setSlider("window", drag.window + (event.clientX - drag.x) / 2);
    setSlider("level", drag.level + (event.clientY - drag.y) / 4);
  } else moveBy(event.movementX * density(), event.movementY * density());
}

function onCanvasKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = 40 * density();
  const act = {
    "+": () => zoomBy(ZOOM_STEP),
    "=": () => zoomBy(ZOOM_STEP),
    "-": () => zoomBy(1 / ZOOM_STEP),
    0: resetView,
    h: () => byId("heat").click(),
    s: () => byId(byId("seen").checked ? "whole" : "seen").click(),
    arrowleft: () => moveBy(step, 0),
    arrowright: () => moveBy(-step, 0),
    arrowup: () => moveBy(0, step),
    arrowdown: () => moveBy(0, -step),
  }[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
}

// As many canvas pixels as the screen has, so that a film is as sharp as it can be.
function fitCanvas() {
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * devicePixelRatio));
  draw();
}

// ---- What calls what -----------------------------------------------------------------------

async function onDrop(event) {
  event.preventDefault();
  document.body.classList.remove("dragging");
  const found = await dropped(event.dataTransfer).catch(() => null);
  add(found ?? []);
  if (!about) return;
  if (!found) showTrouble("What was dropped cannot be read.");
  else showTrouble(found.length ? "" : "There is no film in what was dropped.");
}

function onFiles(event) {
  add([...event.target.files].map(named));
  event.target.value = ""; // so that the same file can be chosen again
}

function onToken(event) {
  event.preventDefault();
  token = byId("token").value.trim();
  byId("token").value = "";
  connect();
}

function onReport(event) {
  if (!about.token_required) return;
  event.preventDefault();
  saveReport();
}

const on = (target, type, act, options) => target.addEventListener(type, act, options);

function listen() {
  on(window, "dragover", (event) => event.preventDefault());
  on(window, "dragenter", () => document.body.classList.add("dragging"));
  on(window, "dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  on(window, "drop", onDrop);
  on(byId("files"), "change", onFiles);
  on(byId("token-form"), "submit", onToken);
  on(byId("report"), "click", onReport);
  on(byId("cancel"), "click", cancel);
  on(byId("clear"), "click", clear);
  on(byId("export"), "click", () => save(new Blob([asCsv()], { type: "text/csv" }), "films.csv"));
  on(byId("rows"), "keydown", onListKey);
  on(byId("rows"), "focusin", (event) => moveTo(event.target));
  listenToViewer();
}

function listenToViewer() {
  on(byId("whole"), "change", () => want(false, false));
  on(byId("seen"), "change", () => want(true, view.heat));
  on(byId("heat"), "change", (event) => want(true, event.target.checked));
  for (const id of ["opacity", "level", "window"]) {
    on(byId(id), "input", (event) => setSlider(id, event.target.value));
  }
  on(byId("zoom-in"), "click", () => zoomBy(ZOOM_STEP));
  on(byId("zoom-out"), "click", () => zoomBy(1 / ZOOM_STEP));
  on(byId("reset"), "click", resetView);
  on(canvas, "wheel", onWheel, { passive: false });
  on(canvas, "pointerdown", onPress);
  on(canvas, "pointermove", onDrag);
  on(canvas, "contextmenu", (event) => event.preventDefault());
  on(canvas, "dblclick", resetZoom);
  on(canvas, "keydown", onCanvasKey);
  new ResizeObserver(fitCanvas).observe(canvas);
}

setSlider("opacity", byId("opacity").value);
drawLegend();
listen();
show(null);
connect();
