// The clips of the review page: the composite plays, one key judges. The server says what there is and keeps every verdict.

const root = await new Promise((found) => {
  const look = () => document.getElementById("review") ? found(document.getElementById("review")) : setTimeout(look, 30);
  look();
});
const $ = (id) => document.getElementById(id);
const film = $("film"), paint = film.getContext("2d");
let state = null, token = null, frame = 0, playing = true, outlines = true, shownAt = 0, hiddenFor = 0, hiddenAt = null, asked = null;
let pictures = [], settingKeys = false, sending = false;

const HINTS = {
  clips: "Does the mask follow the whole object, and what is seen of it? One key judges; the next clip follows.",
  masks: "Add what is missing, take away what is too much. The next realvas run makes the clips of a corrected mask anew.",
};
function say(text, bad) { $("hint").textContent = text; $("hint").className = bad ? "bad" : ""; }

async function post(path, body) {
  try {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const content = await answer.json();
    if (!answer.ok) { say(content.error || "the server refused that", true); return null; }
    return content;
  } catch (error) { say("the server does not answer; is the command still running? Nothing was noted.", true); return null; }
}

const clip = () => state.clips.find((c) => c.token === token);

function chosen() {
  const wanted = $("filter").value;
  return state.clips.filter((c) => wanted === "all" || (wanted === "todo" ? !c.verdict : wanted === "needed" ? c.needs_review
    : c.verdict && c.verdict.decision === wanted));
}

function show(next) {
  token = next;
  frame = 0; playing = true; shownAt = performance.now(); hiddenFor = 0; hiddenAt = document.hidden ? shownAt : null;
  $("note").value = clip() && clip().verdict ? clip().verdict.note : "";
  loadPictures();
  draw();
}

function loadPictures() {
  pictures.forEach((picture) => { picture.src = ""; });
  pictures = [];
  if (!clip() || $("clips").hidden) return;
  for (let t = 0; t < clip().frames; t++) {
    const image = new Image();
    image.src = `/clips/${token}/${t}.jpg?outlines=${outlines}`;
    pictures.push(image);
  }
}

function move(by) {
  const list = chosen(), at = list.findIndex((c) => c.token === token);
  if (!list.length) return;
  show(list[(at + by + list.length) % list.length].token);
}

async function judge(decision, reason) {
  if (!clip() || sending) return;
  sending = true;
  const seconds = (performance.now() - shownAt - hiddenFor) / 1000;
  const from = state.clips.findIndex((c) => c.token === token), was = token;
  const next = await post("/api/verdict", { token, decision, reason, note: $("note").value, seconds });
  sending = false;
  if (!next) return;
  state = next;
  root.dataset.judged = was;
  const todo = [...state.clips.slice(from + 1), ...state.clips.slice(0, from)].find((c) => !c.verdict);
  say(`${decision}${reason ? `: ${reason}` : ""}; ${$("filter").value === "all" && !todo ? "all are judged: python cli.py realvas reviews" : "noted"}`);
  if ($("filter").value === "all") { if (todo) show(todo.token); else draw(); } else { const list = chosen(); show(list.length ? list[0].token : null); }
}

const actions = () => ({ pass: () => judge("pass"), flag: () => judge("flag"),
  note: () => $("note").focus(), play: () => { playing = !playing; }, next: () => move(1), previous: () => move(-1),
  outlines: () => { outlines = !outlines; loadPictures(); },
  ...Object.fromEntries(state.reasons.map((reason) => [reason, () => judge("fail", reason)])) });

const keyName = (key) => ({ " ": "Space", ArrowRight: "→", ArrowLeft: "←" })[key] || key.toUpperCase();

function button(name, text, kind) {
  const made = document.createElement("button"), label = document.createElement("span"), key = document.createElement("kbd");
  made.className = `rv-button ${kind || ""}`; made.dataset.action = name;
  label.textContent = text; key.className = "rv-key"; key.textContent = keyName(state.keys[name]);
  made.append(label, " ", key);
  made.onclick = () => { made.blur(); if (settingKeys) ask(name); else actions()[name](); };
  const verdict = clip() && clip().verdict;
  if (verdict && (verdict.reason || verdict.decision) === name) made.classList.add("on");
  if (asked === name) made.classList.add("asks");
  return made;
}

function ask(name) { asked = name; say(`press the key for '${name}'; Escape leaves it as it is`); draw(); }

function draw() {
  const list = chosen(), judged = state.clips.filter((c) => c.verdict).length, verdict = clip() && clip().verdict;
  $("run").textContent = state.run;
  $("who").textContent = `as ${state.reviewer}`;
  $("count").textContent = `${judged} of ${state.clips.length} judged`;
  $("place").textContent = clip() ? `Clip ${list.findIndex((c) => c.token === token) + 1} of ${list.length}` : "no clip here";
  $("said").textContent = verdict ? verdict.decision : "";
  $("decisions").replaceChildren(button("pass", "Pass", "pass"), button("flag", "Flag", "flag"));
  $("reasons").replaceChildren(...state.reasons.map((reason) => { const item = document.createElement("li"); item.append(button(reason, reason, "fail")); return item; }));
  $("moves").replaceChildren(...["previous", "play", "next", "outlines", "note"].map((name) => button(name, name)));
  $("setkeys").textContent = settingKeys ? "Done" : "Set keys";
  if (!clip()) paint.clearRect(0, 0, film.width, film.height);
}

addEventListener("keydown", async (event) => {
  if (!state || $("clips").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  if (asked) {
    event.preventDefault();
    const name = asked;
    asked = null;
    if (event.key !== "Escape") { const next = await post("/api/keys", { [name]: event.key }); if (next) { state = next; say(`'${name}' is ${keyName(event.key)} now`); } }
    draw();
    return;
  }
  if (event.target.id === "note") { if (event.key === "Escape" || event.key === "Enter") { $("note").blur(); event.preventDefault(); } return; }
  if (event.repeat || ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) return;
  const name = Object.keys(state.keys).find((n) => state.keys[n].toLowerCase() === event.key.toLowerCase());
  if (name) { event.preventDefault(); actions()[name](); }
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) { hiddenAt = performance.now(); return; }
  if (hiddenAt !== null) hiddenFor += performance.now() - hiddenAt;
  hiddenAt = null;
});
$("filter").onchange = () => { $("filter").blur(); const list = chosen(); show(list.length ? list[0].token : null); };
$("setkeys").onclick = () => { settingKeys = !settingKeys; asked = null; say(settingKeys ? "click a button, then press its new key" : ""); draw(); };
document.querySelectorAll("#review [data-tab]").forEach((tab) => tab.onclick = () => {
  document.querySelectorAll("#review [data-tab]").forEach((other) => other.classList.toggle("on", other === tab));
  $("clips").hidden = tab.dataset.tab !== "clips";
  $("masks").hidden = tab.dataset.tab !== "masks";
  $("filter").parentElement.hidden = $("clips").hidden;
  if ($("clips").hidden) pictures.forEach((picture) => { picture.src = ""; });  // the way is free for the other tab
  else loadPictures();
  if (!$("masks").hidden) document.dispatchEvent(new Event("masks"));
  say(HINTS[tab.dataset.tab]);
  tab.blur();
});

let last = 0;
function tick(now) {
  const current = clip();
  if (current && pictures.length) {
    if (playing && now - last >= 1000 / current.fps && pictures[(frame + 1) % current.frames].complete) { frame = (frame + 1) % current.frames; last = now; }
    const picture = pictures[frame];
    if (picture.complete && picture.naturalWidth) {
      if (film.width !== picture.naturalWidth || film.height !== picture.naturalHeight) { film.width = picture.naturalWidth; film.height = picture.naturalHeight; }
      paint.drawImage(picture, 0, 0);
      root.dataset.frame = frame;
    }
  }
  requestAnimationFrame(tick);
}

const answer = await fetch("/api/review");
state = await answer.json();
const first = state.clips.find((c) => !c.verdict) || state.clips[0];
show(first ? first.token : null);
root.dataset.ready = "yes";
say(HINTS.clips);
requestAnimationFrame(tick);
