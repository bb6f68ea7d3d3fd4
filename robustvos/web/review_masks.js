// The masks of the review page: tracks, a filmstrip, a canvas. Every change goes to the server, which keeps it.

const $ = (id) => document.getElementById(id);
await new Promise((found) => { const look = () => $("review") ? found() : setTimeout(look, 30); look(); });
const canvas = $("mask"), paint = canvas.getContext("2d");
let track = null, time = null, tool = "add", stroke = null, picture = null, mask = null;

function say(text, bad) { $("hint").textContent = text; $("hint").className = bad ? "bad" : ""; }

async function edit(action, body) {
  if (!track) return;
  try {
    const answer = await fetch(`/api/masks/${action}`, { method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ key: track.key, frame: time, ...body }) });
    const content = await answer.json();
    if (!answer.ok) { say(content.error || "the server refused that", true); return; }
    track = content;
    say("saved; the next realvas run makes anew what was made of this track");
    mark();
    await load();
    $("review").dataset.corrected = track.corrected.join(" ");
  } catch (error) { say("the server does not answer; is the command still running?", true); }
}

async function list() {
  const { tracks } = await (await fetch("/api/tracks")).json();
  $("tracks").replaceChildren(...tracks.map((key) => {
    const made = document.createElement("button");
    made.className = "rv-button"; made.textContent = key; made.title = key; made.dataset.key = key;
    made.onclick = () => open(key);
    return made;
  }));
  if (!track && tracks.length) await open(tracks[0]);
  if (!tracks.length) say("this run has no tracks to correct");
}

async function open(key) {
  track = await (await fetch(`/api/tracks/${encodeURIComponent(key)}`)).json();
  time = track.held.length ? track.held[Math.floor(track.held.length / 2)] : track.times[0];
  document.querySelectorAll("#tracks button").forEach((b) => b.classList.toggle("on", b.dataset.key === key));
  await load();
  strip();
}

function strip() {
  const height = 58, width = Math.round(height * track.size[0] / track.size[1]);  // known beforehand, so that only what is seen is loaded
  $("strip").replaceChildren(...track.times.map((t) => {
    const figure = document.createElement("figure"), image = document.createElement("img"), caption = document.createElement("figcaption");
    Object.assign(image, { loading: "lazy", width, height, alt: `frame ${t}` });
    image.src = `/tracks/${encodeURIComponent(track.key)}/${t}.jpg`;
    caption.textContent = t;
    figure.dataset.time = t;
    figure.append(image, caption);
    figure.onclick = () => go(t);
    return figure;
  }));
  mark();
  $("strip").querySelector(".on")?.scrollIntoView({ inline: "center", block: "nearest" });
}

function mark() {
  const held = new Set(track.held), corrected = new Set(track.corrected);
  for (const figure of $("strip").children) {
    const t = Number(figure.dataset.time);
    figure.classList.toggle("on", t === time);
    figure.classList.toggle("none", !held.has(t));
    figure.classList.toggle("corrected", corrected.has(t));
  }
}

function go(t) {
  time = t;
  mark();
  $("strip").querySelector(".on")?.scrollIntoView({ inline: "nearest", block: "nearest" });
  return load();
}

async function load() {
  const [key, t] = [track.key, time], base = `/tracks/${encodeURIComponent(key)}/${t}`;
  const image = new Image();
  image.src = `${base}.jpg`;
  const answers = await Promise.all([
    fetch(`${base}.png`, { cache: "no-store" }).then((a) => a.blob()).then((b) => createImageBitmap(b)), image.decode(),
  ]).catch(() => say("this frame cannot be read; is the video still where it was?", true));
  if (!answers) return;
  const [bitmap] = answers;
  if (key !== track.key || t !== time) return;
  picture = image;
  const plane = new OffscreenCanvas(bitmap.width, bitmap.height), ink = plane.getContext("2d");
  ink.drawImage(bitmap, 0, 0);
  const data = ink.getImageData(0, 0, plane.width, plane.height);
  for (let i = 0; i < data.data.length; i += 4) {
    const inside = data.data[i] > 127;
    data.data.set([255, 214, 10, inside ? 110 : 0], i);
  }
  ink.putImageData(data, 0, 0);
  mask = plane;
  draw();
  $("review").dataset.track = `${key} ${t}`;
}

function draw() {
  if (!picture) return;
  canvas.width = picture.naturalWidth; canvas.height = picture.naturalHeight;
  paint.drawImage(picture, 0, 0);
  if (mask) paint.drawImage(mask, 0, 0);
  if (!stroke) return;
  paint.lineCap = paint.lineJoin = "round";
  paint.lineWidth = 2 * stroke.radius;
  paint.strokeStyle = stroke.erase ? "rgba(240,97,109,.6)" : "rgba(255,214,10,.6)";
  paint.beginPath();
  stroke.points.forEach(([x, y], k) => k ? paint.lineTo(x, y) : paint.moveTo(x, y));
  paint.lineTo(...stroke.points[stroke.points.length - 1]);
  paint.stroke();
}

// The canvas is fitted into its box, with room left over on two sides.
function place(event) {
  const box = canvas.getBoundingClientRect(), scale = Math.min(box.width / canvas.width, box.height / canvas.height);
  return [(event.clientX - box.left - (box.width - scale * canvas.width) / 2) / scale,
    (event.clientY - box.top - (box.height - scale * canvas.height) / 2) / scale];
}

canvas.onpointerdown = (event) => {
  if (!track || !picture) return;
  const at = place(event);
  if (tool === "add") { edit("add", { x: at[0], y: at[1] }); return; }
  canvas.setPointerCapture(event.pointerId);
  stroke = { points: [at], radius: Number($("radius").value), erase: tool === "erase" };
  draw();
};
canvas.onpointermove = (event) => { if (stroke) { stroke.points.push(place(event)); draw(); } };
const finish = () => { if (!stroke) return; const done = stroke; stroke = null; edit("brush", done); };
canvas.onpointerup = finish;
canvas.onpointercancel = finish;
document.querySelectorAll("#masks [data-tool]").forEach((b) => b.onclick = () => {
  tool = b.dataset.tool;
  document.querySelectorAll("#masks [data-tool]").forEach((other) => other.classList.toggle("on", other === b));
});
$("undo").onclick = () => edit("undo");
$("delete").onclick = () => edit("delete");
$("deletetrack").onclick = () => edit("delete_track");
addEventListener("keydown", (event) => {
  if ($("masks").hidden || !track) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") { event.preventDefault(); edit("undo"); }
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (by) { const next = track.times[track.times.indexOf(time) + by]; if (next !== undefined) go(next); }
  if (event.key === "Delete") edit("delete");
});
document.addEventListener("masks", list);
