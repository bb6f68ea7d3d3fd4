// The annotate page. The server knows everything; this draws it and sends what a person does.
// A lane holds a letter a frame: ' ' not looked at, '-' not seen, 'm' a mask without a score, 0 to 9 how sure.

const root = await new Promise((found) => {
  const look = () => document.getElementById("annotate") ? found(document.getElementById("annotate")) : setTimeout(look, 30);
  look();
});
const $ = (id) => document.getElementById(id);
const canvas = $("canvas"), paint = canvas.getContext("2d"), view = $("view"), stage = $("stage");
const lanes = $("lanecanvas"), laneHeight = 20, labelWidth = 120;
let memory = "";  // of this annotation: another one may be opened at the same address

let state = null, frame = 0, selected = null, tool = "point", playing = false, busy = 0, zoomed = false, following = false;
let masks = null, shown = -1, drag = null, held = false, zoom = null;
const pictures = new Map();

// Talking to the server

async function post(path, body) {
  busy += 1;
  draw();
  try {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const content = await answer.json();
    if (!answer.ok) { say(content.error || "the server refused that", true); return null; }
    if (content.state) take(content.state);
    return content;
  } catch (error) {
    say("the server does not answer; is the command still running? What you drew is kept and sent again.", true);
    throw error;
  } finally { busy -= 1; draw(); }
}

const edit = (action, body) => post(`/api/edit/${action}`, body || {}).catch(() => null);

async function poll() {
  try {
    const answer = await fetch("/api/state");
    if (answer.ok) take(await answer.json());
    await sendPieces();
  } catch (error) { say("the server does not answer; is the command still running?", true); }
  setTimeout(poll, state && state.run ? 500 : 1500);
}

function take(next) {
  if (state && next.version < state.version) return;
  const was = state, changed = !was || next.version !== was.version;
  const ended = was && was.run && !next.run;
  state = next;
  if (!was) begin();
  if (!state.objects.some((o) => o.id === selected)) selected = state.objects.length ? state.objects[0].id : null;
  if (changed || ended || (was.run === null) !== (state.run === null)) showLists();
  if (state.trouble && (!was || was.trouble !== state.trouble)) say(state.trouble, true);
  else if (ended) say("Tracked. Look along the lanes: go to where the tracker is unsure, correct with a click, and track again from there.");
  if (ended && following) go(state.reached, true);
  if (state.run && following && frame !== state.run.frame) go(state.run.frame, true);
  else if (changed) loadMasks();
  if (!state.run) following = false;
  showWhere();
  drawLanes();
}

// Strokes go piece by piece, in order, and stay in the browser's memory until the server has them.

const pieces = [];
let sending = false;
const keepPieces = () => sessionStorage.setItem(`${memory} pieces`, JSON.stringify(pieces));

async function sendPieces() {
  if (sending) return;
  sending = true;
  try {
    while (pieces.length) {
      const piece = pieces[0];
      await post("/api/edit/brush", piece);
      pieces.shift();
      keepPieces();
    }
  } catch (error) { /* kept: the next poll tries again */ } finally { sending = false; }
}

function cutPiece(last) {
  if (!drag || drag.kind !== "stroke" || drag.path.length <= drag.sent) return;
  const from = Math.max(0, drag.sent - 1);
  pieces.push({ frame: drag.frame, object: drag.object, stroke: drag.id, number: drag.number++, radius: drag.radius,
    erase: drag.erase, points: drag.path.slice(from) });
  drag.sent = drag.path.length;
  keepPieces();
  sendPieces().then(() => { if (last) draw(); });
}
setInterval(() => cutPiece(false), 200);
addEventListener("pagehide", () => cutPiece(true));

// Pictures

function load(index) {
  if (!pictures.has(index)) {
    const image = new Image();
    pictures.set(index, image);
    image.src = `/frames/${index}.jpg`;
    image.onerror = () => { pictures.delete(index); say(`frame ${index} cannot be shown`, true); };
    if (pictures.size > 120) pictures.delete(pictures.keys().next().value);
  }
  return pictures.get(index);
}
const loaded = (index) => pictures.has(index) && pictures.get(index).complete && pictures.get(index).naturalWidth > 0;

// One picture at a time, the one that is wanted by then: going fast through a video queues up nothing that is passed by.
let loading = false;
function loadPicture() {
  if (loading || loaded(frame)) return;
  loading = true;
  const done = () => { loading = false; draw(); loadPicture(); };
  const image = load(frame);
  image.addEventListener("load", done, { once: true });
  image.addEventListener("error", () => { loading = false; }, { once: true });
}

async function loadMasks() {
  const wanted = frame;
  const answer = await fetch(`/masks/${wanted}.png`).catch(() => null);
  if (!answer || !answer.ok) return;
  const bitmap = await createImageBitmap(await answer.blob(), { colorSpaceConversion: "none" });
  if (wanted !== frame) return;
  masks = colour(bitmap);
  shown = wanted;
  root.dataset.masks = `${wanted}/${state.version}`;
  draw();
}

const off = document.createElement("canvas");
let idsUnder = null;

function colour(bitmap) {
  const [width, height] = [bitmap.width, bitmap.height];
  off.width = width; off.height = height;
  const pen = off.getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0);
  const image = pen.getImageData(0, 0, width, height), data = image.data;
  const ids = new Uint8Array(width * height), table = new Map();
  for (const o of state.objects) table.set(o.id, [1, 3, 5].map((i) => parseInt(o.colour.slice(i, i + 2), 16)));
  for (let i = 0; i < ids.length; i++) ids[i] = data[4 * i];
  const reach = Math.max(1, Math.round(Math.min(width, height) / 400));
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i], rgb = table.get(id);
    if (!rgb) { data[4 * i + 3] = 0; continue; }
    const x = i % width;
    const edge = ids[i - reach * width] !== id || ids[i + reach * width] !== id ||
      (x >= reach && ids[i - reach] !== id) || (x < width - reach && ids[i + reach] !== id);
    data[4 * i] = rgb[0]; data[4 * i + 1] = rgb[1]; data[4 * i + 2] = rgb[2];
    data[4 * i + 3] = edge ? 255 : id === selected ? 130 : 90;
  }
  pen.putImageData(image, 0, 0);
  idsUnder = { ids, width };
  return off;
}

function draw() {
  if (!state) return;
  paint.globalAlpha = 1;
  if (loaded(frame)) {
    paint.drawImage(pictures.get(frame), 0, 0, canvas.width, canvas.height);
    root.dataset.ready = "yes";
  } else { paint.fillStyle = "rgba(12, 14, 17, .7)"; paint.fillRect(0, 0, canvas.width, canvas.height); return; }
  root.dataset.picture = frame;
  if (masks && shown === frame) paint.drawImage(masks, 0, 0);
  const unit = Math.max(3, 6 / (zoom ? zoom.scale : 1));
  for (const o of state.objects) {
    for (const mark of o.marks.filter((m) => m.frame === frame)) {
      paint.lineWidth = unit / 3;
      if (mark.box) { paint.strokeStyle = o.colour; const b = mark.box; paint.strokeRect(b[0], b[1], b[2] - b[0], b[3] - b[1]); }
      for (const [x, y, label] of mark.points) dot(x, y, label, o.colour, unit);
    }
  }
  if (drag && drag.kind === "box") {
    paint.strokeStyle = "#fff"; paint.lineWidth = unit / 3;
    paint.strokeRect(drag.x, drag.y, drag.to[0] - drag.x, drag.to[1] - drag.y);
  }
  if (drag && drag.kind === "stroke") {
    const o = state.objects.find((one) => one.id === drag.object);
    paint.save(); paint.globalAlpha = .55; paint.lineCap = paint.lineJoin = "round";
    paint.lineWidth = 2 * drag.radius; paint.strokeStyle = drag.erase ? "#000" : o ? o.colour : "#fff";
    paint.beginPath(); drag.path.forEach(([x, y], i) => (i ? paint.lineTo(x, y) : paint.moveTo(x, y)));
    if (drag.path.length === 1) paint.lineTo(drag.path[0][0] + .01, drag.path[0][1]);
    paint.stroke(); paint.restore();
  }
  canvas.style.cursor = busy && tool !== "brush" && tool !== "erase" ? "progress" : "crosshair";
}

function dot(x, y, label, colour, unit) {
  paint.beginPath(); paint.arc(x, y, unit, 0, 7); paint.fillStyle = label ? colour : "#fff"; paint.fill();
  paint.strokeStyle = label ? "#fff" : colour; paint.stroke();
  paint.beginPath(); paint.moveTo(x - unit / 2, y); paint.lineTo(x + unit / 2, y);
  if (label) { paint.moveTo(x, y - unit / 2); paint.lineTo(x, y + unit / 2); }
  paint.stroke();
}

// Where we are

function go(index, led = false) {
  if (!led) following = false;
  frame = Math.min(state.frames - 1, Math.max(0, index));
  sessionStorage.setItem(`${memory} frame`, frame);
  loadPicture();
  showWhere(); drawLanes(); draw(); loadMasks();
}

function fit() {
  const scale = Math.min(view.clientWidth / canvas.width, view.clientHeight / canvas.height);
  zoomed = false;
  zoom = { scale, x: (view.clientWidth - scale * canvas.width) / 2, y: (view.clientHeight - scale * canvas.height) / 2 };
  place();
}

function place() { stage.style.transform = `translate(${zoom.x}px,${zoom.y}px) scale(${zoom.scale})`; draw(); }

view.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = view.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  zoomed = true;
  const factor = Math.exp(-event.deltaY / 400), scale = Math.min(24, Math.max(.05, zoom.scale * factor));
  zoom = { scale, x: x - (x - zoom.x) * scale / zoom.scale, y: y - (y - zoom.y) * scale / zoom.scale };
  place();
}, { passive: false });
new ResizeObserver(() => { if (state) { if (!zoomed) fit(); drawLanes(); } }).observe(view);

// Hand and mouse

function at(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
}
const inside = ([x, y]) => x >= 0 && y >= 0 && x < canvas.width && y < canvas.height;

async function object() {
  if (selected !== null) return selected;
  const made = await edit("object");
  if (made) { selected = made.object; showLists(); }
  return selected;
}

canvas.addEventListener("contextmenu", (event) => event.preventDefault());
canvas.addEventListener("pointerdown", async (event) => {
  event.preventDefault();
  held = true;
  if (document.activeElement && document.activeElement.blur) document.activeElement.blur();
  const [x, y] = at(event);
  if (event.button === 1) { drag = { kind: "pan", x: event.clientX - zoom.x, y: event.clientY - zoom.y }; canvas.setPointerCapture(event.pointerId); return; }
  if (event.ctrlKey && idsUnder) {
    const id = idsUnder.ids[Math.floor(y) * idsUnder.width + Math.floor(x)];
    if (id) select(id);
    return;
  }
  if (!loaded(frame)) { say("The picture of this frame is still on its way; click again when it is there."); return; }
  if (tool === "point") {
    const out = event.button === 2 || event.altKey;
    const id = await object();
    if (id !== null && inside([x, y])) {
      say("The tracker looks …");
      if (await edit("click", { frame, object: id, x, y, inside: !out })) say(next());
    }
  } else if (event.button !== 0) { return;
  } else if (tool === "split") {
    const made = await edit("split", { frame, x, y });
    if (made) { select(made.object); say("That region is an object of its own now, from this frame on."); }
  } else if (tool === "box") {
    canvas.setPointerCapture(event.pointerId);
    drag = { kind: "box", x, y, to: [x, y] };
  } else {
    canvas.setPointerCapture(event.pointerId);
    const started = { kind: "stroke", frame, object: selected, id: `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`,
      number: 0, sent: 0, radius: Number($("radius").value), erase: tool === "erase", path: [[x, y]] };
    if (selected === null) { const id = await object(); if (id === null) return; started.object = id; }
    drag = started;
    if (!held) release();  // the button was let go while the server made the object: a dab
    draw();
  }
});
canvas.addEventListener("pointermove", (event) => {
  if (!drag) return;
  if (drag.kind === "pan") { zoomed = true; zoom.x = event.clientX - drag.x; zoom.y = event.clientY - drag.y; place(); return; }
  if (drag.kind === "box") drag.to = at(event);
  else drag.path.push(at(event));
  draw();
});
async function release() {
  held = false;
  const done = drag;
  if (!done) return;
  if (done.kind === "stroke") { cutPiece(true); drag = null; return; }
  drag = null;
  if (done.kind !== "box") return;
  if (Math.abs(done.to[0] - done.x) < 3 || Math.abs(done.to[1] - done.y) < 3) { draw(); say("Drag from one corner of the object to the other."); return; }
  const id = await object();
  say("The tracker looks …");
  if (id !== null && await edit("box", { frame, object: id, box: [done.x, done.y, ...done.to] })) say(next());
}
canvas.addEventListener("pointerup", release);
canvas.addEventListener("pointercancel", release);

function next() {
  return "Not right? Right click what does not belong, left click what is missing. N marks another object. T tracks from here to the end.";
}

// Lists, buttons, keys

function select(id) { selected = id; showLists(); loadMasks(); drawLanes(); }

function say(text, bad = false) { $("hint").textContent = text; $("hint").classList.toggle("bad", bad); }

function showWhere() {
  $("where").textContent = `frame ${frame} of ${state.frames - 1}`;
  const run = state.run;
  $("progress").textContent = run ? `tracking: frame ${run.frame}, ${Math.abs(run.end - run.frame)} to go` : "";
  $("stop").hidden = !run;
  $("forward").hidden = $("back").hidden = Boolean(run);
  $("undo").disabled = !state.undo; $("redo").disabled = !state.redo;
  root.dataset.run = run ? "yes" : "no";
}

function showLists() {
  const focused = document.activeElement && document.activeElement.closest && document.activeElement.closest("#objects li");
  if (focused && document.activeElement.tagName === "INPUT") return;
  $("objects").replaceChildren(...state.objects.map((o) => {
    const row = document.createElement("li");
    row.className = o.id === selected ? "on" : "";
    row.dataset.object = o.id;
    row.innerHTML = `<span class="rv-chip"></span><span class="rv-quiet"></span><input aria-label="name"><button class="drop" title="Delete this object">×</button>`;
    row.children[0].style.background = o.colour;
    row.children[1].textContent = o.id;
    row.children[2].value = o.name;
    row.onclick = () => { if (selected !== o.id) select(o.id); };
    row.children[2].onkeydown = (event) => { event.stopPropagation(); if (event.key === "Enter") event.target.blur(); };
    row.children[2].onchange = (event) => { edit("name", { object: o.id, name: event.target.value }); };
    row.children[3].onclick = (event) => { event.stopPropagation(); edit("remove", { object: o.id }); };
    return row;
  }));
  $("other").replaceChildren(...state.objects.filter((o) => o.id !== selected).map((o) => new Option(`${o.id} ${o.name}`, o.id)));
}

function drawLanes() {
  if (!state) return;
  const ratio = devicePixelRatio || 1, width = $("lanes").clientWidth, height = laneHeight * Math.max(1, state.objects.length);
  lanes.width = width * ratio; lanes.height = height * ratio; lanes.style.height = `${height}px`;
  const pen = lanes.getContext("2d");
  pen.scale(ratio, ratio);
  const step = (width - labelWidth) / state.frames, style = getComputedStyle(document.documentElement);
  pen.font = "12px system-ui, sans-serif"; pen.textBaseline = "middle";
  if (!state.objects.length) { pen.fillStyle = style.getPropertyValue("--quiet"); pen.fillText("no object yet", 4, laneHeight / 2); }
  state.objects.forEach((o, row) => {
    const top = row * laneHeight;
    if (o.id === selected) { pen.fillStyle = style.getPropertyValue("--raised"); pen.fillRect(0, top, width, laneHeight); }
    pen.fillStyle = o.colour; pen.fillRect(4, top + 5, 10, 10);
    pen.fillStyle = style.getPropertyValue("--ink"); pen.fillText(`${o.id} ${o.name}`, 20, top + laneHeight / 2, labelWidth - 26);
    for (let f = 0; f < o.lane.length; f++) {
      const letter = o.lane[f];
      if (letter === " ") continue;
      const x = labelWidth + f * step, w = Math.max(1, step + .3);
      if (letter === "-") { pen.fillStyle = style.getPropertyValue("--quiet"); pen.fillRect(x, top + laneHeight / 2, w, 1); continue; }
      const sure = letter === "m" ? 1 : (Number(letter) + .5) / 10;
      if (sure < .5) { pen.fillStyle = style.getPropertyValue("--warn"); pen.globalAlpha = f % 2 ? .9 : .6; }
      else { pen.fillStyle = o.colour; pen.globalAlpha = .25 + .75 * sure; }
      pen.fillRect(x, top + 4, w, laneHeight - 8);
      pen.globalAlpha = 1;
    }
    pen.fillStyle = "#fff"; pen.strokeStyle = "#000";
    for (const mark of o.marks) {
      pen.beginPath(); pen.arc(labelWidth + (mark.frame + .5) * step, top + laneHeight / 2, 4, 0, 7); pen.fill(); pen.stroke();
    }
  });
  const x = labelWidth + (frame + .5) * step;
  pen.fillStyle = "#fff"; pen.fillRect(x - 1, 0, 2, height);
  if (state.run) { pen.fillStyle = style.getPropertyValue("--accent"); pen.fillRect(labelWidth + (state.run.frame + .5) * step - 1, 0, 2, height); }
}

let seeking = false;
function seek(event) {
  const box = lanes.getBoundingClientRect(), x = event.clientX - box.left - labelWidth;
  const row = Math.floor((event.clientY - box.top) / laneHeight), o = state.objects[row];
  if (event.type === "pointerdown" && o && o.id !== selected) select(o.id);
  if (x >= -6) go(Math.floor(x / (box.width - labelWidth) * state.frames));
}
lanes.addEventListener("pointerdown", (event) => { seeking = true; lanes.setPointerCapture(event.pointerId); seek(event); });
lanes.addEventListener("pointermove", (event) => { if (seeking) seek(event); });
lanes.addEventListener("pointerup", () => { seeking = false; });

function choose(name) {
  tool = name;
  for (const button of $("tools").querySelectorAll("[data-tool]")) button.classList.toggle("on", button.dataset.tool === name);
  $("sizing").style.visibility = name === "brush" || name === "erase" ? "visible" : "hidden";
}
for (const button of $("tools").querySelectorAll("[data-tool]")) button.onclick = () => choose(button.dataset.tool);

async function add() {
  const made = await edit("object");
  if (made) { select(made.object); say("A new object: click it on any frame."); }
}
async function track(backwards) {
  const objects = $("alone").checked && selected !== null ? [selected] : [];
  await sendPieces();
  following = true;
  if (await post("/api/track", { frame, backwards, objects }).catch(() => null)) say("Tracking. You may look around meanwhile; a click stops it and corrects.");
  else following = false;
}
$("new").onclick = add;
$("forward").onclick = () => track(false);
$("back").onclick = () => track(true);
$("stop").onclick = () => post("/api/track", { stop: true }).catch(() => null);
$("undo").onclick = () => edit("undo");
$("redo").onclick = () => edit("redo");
$("clear").onclick = () => { if (selected !== null) edit("clear", { frame, object: selected }); };
$("play").onclick = () => { playing = !playing; $("play").textContent = playing ? "Pause" : "Play"; if (playing) tick(); };
$("merge").onclick = () => identity("relabel");
$("swap").onclick = () => identity("exchange");
$("layout").onchange = async (event) => {
  const [layout, group] = event.target.value.split(" ");
  event.target.value = "";
  if (!layout) return;
  say("Writing frames and masks …");
  const made = await post("/api/save", { layout, group: group || "" }).catch(() => null);
  if (made) say(`Written to ${made.folder}`);
};

function identity(action) {
  if (selected === null || !$("other").value) { say("Two objects are needed for that.", true); return; }
  edit(action, { object: selected, other: Number($("other").value), first: Number($("first").value), last: Number($("last").value) });
}

function tick() {
  if (!playing) return;
  const begun = performance.now(), following = frame + 1 < state.frames ? frame + 1 : 0;
  const image = load(following);
  const show = () => { go(following); setTimeout(tick, Math.max(0, 1000 / state.fps - (performance.now() - begun))); };
  if (loaded(following)) show(); else image.addEventListener("load", show, { once: true });
}

addEventListener("keydown", (event) => {
  if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName) && event.target.type !== "range" && event.target.type !== "checkbox") return;
  const key = event.key.toLowerCase();
  const does = {
    arrowleft: () => go(frame - (event.shiftKey ? 10 : 1)), arrowright: () => go(frame + (event.shiftKey ? 10 : 1)),
    home: () => go(0), end: () => go(state.frames - 1), " ": () => $("play").click(),
    c: () => choose("point"), b: () => choose("box"), p: () => choose("brush"), e: () => choose("erase"), x: () => choose("split"),
    n: add, t: () => track(event.shiftKey), delete: () => $("clear").click(), escape: () => { if (state.run) $("stop").click(); },
    "[": () => { $("radius").value = Number($("radius").value) - 2; }, "]": () => { $("radius").value = Number($("radius").value) + 2; }, "0": fit,
  };
  if ((event.ctrlKey || event.metaKey) && key === "z") { event.preventDefault(); edit(event.shiftKey ? "redo" : "undo"); return; }
  if (event.ctrlKey || event.metaKey || !state) return;
  if (/^[1-9]$/.test(key)) { const o = state.objects[Number(key) - 1]; if (o) select(o.id); return; }
  if (does[key]) { event.preventDefault(); does[key](); }
});

function begin() {
  memory = `annotate ${location.host} ${state.folder}`;
  pieces.push(...JSON.parse(sessionStorage.getItem(`${memory} pieces`) || "[]"));
  [canvas.width, canvas.height] = state.size;
  $("video").textContent = state.video;
  $("saved").textContent = `Tracker: ${state.base}. Saved as you go in ${state.folder}`;
  $("last").value = state.frames - 1; $("first").value = 0;
  $("first").max = $("last").max = state.frames - 1;
  for (const [layout, groups] of Object.entries(state.layouts)) {
    for (const group of groups.length ? groups : [""]) $("layout").add(new Option(`${{ davis: "DAVIS", acdc: "ACDC", mvseg: "MVSeg" }[layout]} ${group}`, `${layout} ${group}`.trim()));
  }
  choose("point");
  fit();
  selected = state.objects.length ? state.objects[0].id : null;
  go(Number(sessionStorage.getItem(`${memory} frame`) || 0));
  say(state.objects.length ? next() : "Click an object to mark it. Wheel zooms, middle button moves, arrows go from frame to frame.");
}

poll();
