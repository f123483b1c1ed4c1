"use strict";

// As the figures of the reports are coloured, and distinct in dark as in light.
const COLORS = ["#5b76e8", "#d9772b", "#23a06b", "#d34b4d", "#9a62d6", "#1aa3b5", "#bb9410", "#8a909a"];
const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 40, right: 8, top: 8, bottom: 22 };
const CHART_HEIGHT = 220;
const MOST_PEOPLE = 8; // of a video, with a time line each
const SHOT_SIDE = 640; // of what the webcam's pictures are shrunk to

const byId = (id) => document.getElementById(id);
const answers = []; // all that was said, for the files to save
let network = null;
let camera = null;

start();

async function start() {
  byId("files").addEventListener("change", (event) => {
    look([...event.target.files]);
    event.target.value = "";
  });
  byId("webcam").addEventListener("click", startWebcam);
  byId("stop").addEventListener("click", stopWebcam);
  byId("json").addEventListener("click", () => save("expressions.json", "application/json", JSON.stringify(answers, null, 2)));
  byId("csv").addEventListener("click", () => save("expressions.csv", "text/csv", toCsv()));
  byId("clear").addEventListener("click", clear);
  acceptDrops(byId("drop"));
  try {
    network = await ask("/about");
  } catch (error) {
    say(error.message, true);
    return;
  }
  const names = network.class_names.join(", ");
  const how = network.finds_faces ? "" : " It does not look for faces: give pictures of one face each.";
  byId("about").textContent = `The network ${network.model}, trained on ${network.dataset}, tells apart ${names}.${how}`;
  showExamples();
}

function acceptDrops(area) {
  for (const name of ["dragenter", "dragover"]) {
    area.addEventListener(name, (event) => { event.preventDefault(); area.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) {
    area.addEventListener(name, (event) => { event.preventDefault(); area.classList.remove("over"); });
  }
  area.addEventListener("drop", (event) => look([...event.dataTransfer.files]));
}

function showExamples() {
  for (const name of network.examples) {
    const button = make("button", { type: "button", title: name });
    const source = `/examples/${encodeURIComponent(name)}`;
    button.append(make("img", { src: source, alt: `Example: ${name}` }));
    button.addEventListener("click", async () => {
      const data = await (await fetch(source)).blob();
      look([new File([data], `${name}.png`, { type: "image/png" })]);
    });
    document.querySelector(".tries").append(button);
  }
  byId("examples").hidden = !network.examples.length;
}

// --- Asking ---

async function ask(path, files) {
  let reply;
  try {
    const body = files && new FormData();
    for (const file of files || []) body.append(files.field, file, file.name);
    reply = await fetch(path, files ? { method: "POST", body } : {});
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  const answer = await reply.json().catch(() => ({}));
  if (reply.ok) return answer;
  const detail = typeof answer.detail === "string" ? answer.detail : `The server refused (${reply.status}).`;
  throw new Error(reply.status === 413 ? tooLarge() : detail);
}

// Browsers do not know the type of every film.
const isVideo = ({ type, name }) => type.startsWith("video/") || (!type && /\.(avi|flv|m4v|mkv|mov|mp4|mpe?g|ogv|ts|webm|wmv)$/i.test(name));
const tooLarge = () => `That is too large: ${Math.round(network.max_bytes / 1e6)} MB at a time are taken.`;

async function look(files) {
  if (!network || !files.length) return;
  const videos = files.filter(isVideo);
  const pictures = files.filter((file) => !isVideo(file));
  try {
    for (const batch of batches(pictures)) {
      say(`Looking at ${batch.length === 1 ? batch[0].name : `${batch.length} pictures`} …`);
      const { pictures: seen } = await ask("/predict", Object.assign(batch, { field: "files" }));
      seen.forEach((answer, number) => showPicture(batch[number], answer));
    }
    for (const video of videos) {
      say(`Looking at ${video.name} …`);
      if (video.size > network.max_bytes) throw new Error(tooLarge());
      showVideo(video, await ask("/predict/video", Object.assign([video], { field: "file" })));
    }
    say(`Looked at ${files.length === 1 ? files[0].name : `${files.length} files`}.`);
  } catch (error) {
    say(error.message, true);
  }
  byId("bar").hidden = !answers.length;
}

function* batches(files) {
  let batch = [];
  let bytes = 0;
  for (const file of files) {
    if (file.size > 0.95 * network.max_bytes) throw new Error(tooLarge());
    if (batch.length === network.max_files || bytes + file.size > 0.95 * network.max_bytes) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(file);
    bytes += file.size;
  }
  if (batch.length) yield batch;
}

// --- Showing ---

function showPicture(file, answer) {
  answer.name = file.name; // browsers change quotes in what they send
  answers.push(answer);
  const article = make("article", {}, make("h2", { text: answer.name }));
  if (answer.reason) {
    article.append(make("p", { class: "bad", text: inWords(answer) }));
  } else {
    const image = make("img", { alt: answer.name, src: URL.createObjectURL(file) });
    const stage = make("div", { class: "stage" }, image);
    image.addEventListener("load", () => {
      drawBoxes(stage, answer.faces, image.naturalWidth, image.naturalHeight);
      URL.revokeObjectURL(image.src);
    });
    article.append(make("div", { class: "seen" }, stage, listFaces(answer.faces)));
  }
  byId("results").prepend(article);
}

function inWords({ reason, detail }) {
  const words = {
    "no-face": "No face was found. Try a picture where it is larger, brighter or seen from the front.",
    "not-an-image": "This is no picture. PNG, JPEG, GIF, BMP, TIFF and WebP can be read.",
    "unsupported": "This kind of picture cannot be read. PNG, JPEG, GIF, BMP, TIFF and WebP can.",
    "empty": "The file is empty.",
    "truncated": "The picture is cut off: its end is missing.",
    "corrupt": "The picture is damaged.",
    "too-small": "The picture is too small.",
    "too-large": "The picture has too many pixels.",
  };
  return words[reason] || detail;
}

function listFaces(faces) {
  return make("ol", { class: "faces" }, ...faces.map((face, number) => {
    const name = faces.length > 1 ? `${face.person ?? number + 1}. ${face.class_name}` : face.class_name;
    const title = make("h3", {}, colored("i", face.class_name), name, make("span", { text: percent(face.probability) }));
    const bars = make("dl", { class: "bars" });
    for (const [label, value] of Object.entries(face.probabilities).sort((a, b) => b[1] - a[1])) {
      const fill = colored("b", label);
      fill.style.width = `${100 * value}%`;
      bars.append(make("dt", { text: label }), make("div", { class: "track" }, fill), make("dd", { text: percent(value) }));
    }
    return make("li", {}, title, bars);
  }));
}

function drawBoxes(stage, faces, width, height) {
  stage.querySelector("svg")?.remove();
  const drawing = draw("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  faces.forEach(({ box, class_name: name, person }, number) => {
    if (!box) return;
    const place = { x: box.left, y: box.top, width: box.width, height: box.height, rx: box.width / 20 };
    drawing.append(draw("rect", { ...place, class: "back" }), draw("rect", { ...place, stroke: colorOf(name) }));
    if (faces.length > 1) {
      const size = Math.max(width, height) / 25;
      const label = write(String(person ?? number + 1), { x: box.left + size / 3, y: box.top + size, "font-size": size });
      drawing.append(label);
    }
  });
  stage.append(drawing);
}

// --- Videos ---

function showVideo(file, answer) {
  answer.name = file.name;
  answers.push(answer);
  const article = make("article", {}, make("h2", { text: answer.name }));
  if (answer.reason) {
    article.append(make("p", { class: "bad", text: answer.detail }));
    byId("results").prepend(article);
    return;
  }
  const video = make("video", { controls: "", muted: "", playsinline: "", src: URL.createObjectURL(file) });
  const stage = make("div", { class: "stage" }, video);
  const faces = make("div", {});
  const chart = drawTimeLines(answer, (time) => { video.currentTime = time; show(time); });
  const show = (time) => {
    const moment = momentAt(answer.moments, time);
    const seen = moment ? moment.faces : [];
    drawBoxes(stage, seen, answer.width, answer.height);
    faces.replaceChildren(seen.length ? listFaces(seen) : make("p", { class: "lead", text: "No face at this moment." }));
    chart.mark(time);
  };
  video.addEventListener("timeupdate", () => show(video.currentTime));
  video.addEventListener("error", () => stage.replaceChildren(make("p", { class: "lead", text: "This browser cannot play the video; what was seen in it stands below." })));
  article.append(make("div", { class: "seen" }, stage, faces), chart.element);
  if (!answer.is_whole) article.append(make("p", { class: "lead", text: `Only the first ${clock(answer.seconds)} minutes were looked at.` }));
  byId("results").prepend(article);
  show(answer.moments.find((moment) => moment.faces.length)?.time ?? 0);
}

function momentAt(moments, time) {
  let [low, high] = [0, moments.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (moments[middle].time <= time + 1e-6) low = middle + 1;
    else high = middle;
  }
  return moments[Math.max(0, low - 1)];
}

/** The probabilities of a person over time, with buttons to choose whom; most seen people first. */
function drawTimeLines(answer, seek) {
  const seen = new Map();
  for (const { faces } of answer.moments) for (const { person } of faces) seen.set(person, (seen.get(person) ?? 0) + 1);
  const people = [...seen.keys()].sort((a, b) => seen.get(b) - seen.get(a) || a - b).slice(0, MOST_PEOPLE);
  const legend = make("ul", { class: "legend" }, ...network.class_names.map((name) => make("li", {}, colored("i", name), name)));
  const place = make("div", {});
  let marked = 0;
  let mark = () => {};
  const choose = (person) => {
    const line = drawTimeLine(answer, person, seek);
    place.replaceChildren(line.element);
    mark = line.mark;
    mark(marked);
    for (const button of buttons) button.setAttribute("aria-pressed", String(Number(button.value) === person));
  };
  const buttons = people.map((person) => {
    const button = make("button", { type: "button", value: person, text: `Person ${person}` });
    button.addEventListener("click", () => choose(person));
    return button;
  });
  const element = make("div", { class: "line" }, ...(people.length > 1 ? [make("p", { class: "people" }, ...buttons)] : []), place, legend);
  if (people.length) choose(people[0]);
  return { element, mark(time) { marked = time; mark(time); } };
}

function drawTimeLine(answer, person, seek) {
  const width = Math.min(900, Math.max(280, document.querySelector("main").clientWidth - 90));
  const seconds = Math.max(answer.seconds, 1e-3);
  const x = (time) => MARGIN.left + (time / seconds) * (width - MARGIN.left - MARGIN.right);
  const y = (value) => CHART_HEIGHT - MARGIN.bottom - value * (CHART_HEIGHT - MARGIN.top - MARGIN.bottom);
  const label = `Probabilities of person ${person} over time`;
  const drawing = draw("svg", { viewBox: `0 0 ${width} ${CHART_HEIGHT}`, role: "img", "aria-label": label });
  for (const value of [0, 0.5, 1]) {
    drawing.append(
      draw("line", { class: "grid", x1: x(0), x2: x(seconds), y1: y(value), y2: y(value) }),
      write(percent(value), { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }),
    );
  }
  for (let tick = 0; tick <= 4; tick += 1) {
    const anchor = { 0: "start", 4: "end" }[tick] ?? "middle";
    drawing.append(write(clock((tick * seconds) / 4), { x: x((tick * seconds) / 4), y: CHART_HEIGHT - 4, "text-anchor": anchor }));
  }
  const runs = [[]];
  for (const { time, faces } of answer.moments) {
    const face = faces.find((each) => each.person === person);
    if (face) runs.at(-1).push([time, face.probabilities]);
    else if (runs.at(-1).length) runs.push([]);
  }
  for (const name of network.class_names) {
    for (const run of runs.filter((each) => each.length)) {
      const points = run.map(([time, values]) => `${x(time).toFixed(1)},${y(values[name]).toFixed(1)}`);
      if (points.length === 1) points.push(points[0]);
      drawing.append(draw("polyline", { points: points.join(" "), stroke: colorOf(name) }));
    }
  }
  const now = draw("line", { class: "now", y1: y(0), y2: y(1) });
  drawing.append(now);
  drawing.addEventListener("click", (event) => {
    const frame = drawing.getBoundingClientRect();
    const place = ((event.clientX - frame.left) / frame.width) * width;
    const share = (place - MARGIN.left) / (width - MARGIN.left - MARGIN.right);
    seek(seconds * Math.min(1, Math.max(0, share)));
  });
  return { element: drawing, mark(time) { for (const end of ["x1", "x2"]) now.setAttribute(end, x(Math.min(time, seconds))); } };
}

// --- Webcam ---

async function startWebcam() {
  const video = document.querySelector("#live video");
  try {
    camera = await navigator.mediaDevices.getUserMedia({ video: { width: SHOT_SIDE }, audio: false });
  } catch {
    say("The webcam cannot be used: there is none, or this page was not allowed to.", true);
    return;
  }
  video.srcObject = camera;
  await video.play();
  byId("live").hidden = false;
  byId("webcam").disabled = true;
  say("The webcam is on.");
  while (camera) await lookAtShot(video);
}

async function lookAtShot(video) {
  const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const data = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
  try {
    const shot = new File([data], "webcam.jpg", { type: "image/jpeg" });
    const { pictures: [seen] } = await ask("/predict", Object.assign([shot], { field: "files" }));
    if (!camera) return;
    drawBoxes(document.querySelector("#live .stage"), seen.faces, canvas.width, canvas.height);
    document.querySelector("#live ol").replaceWith(listFaces(seen.faces));
    say(seen.reason ? inWords(seen) : "The webcam is on.");
  } catch (error) {
    stopWebcam();
    say(error.message, true);
  }
}

function stopWebcam() {
  for (const track of camera?.getTracks() ?? []) track.stop();
  camera = null;
  byId("live").hidden = true;
  byId("webcam").disabled = false;
  say("The webcam is off.");
}

// --- Saving ---

function toCsv() {
  const names = network.class_names;
  const rows = [["name", "time", "face", "left", "top", "width", "height", "confidence", "class", "probability", ...names.map((name) => `p_${name}`), "reason"]];
  for (const answer of answers) {
    const moments = answer.moments ?? [{ time: "", faces: answer.faces ?? [] }];
    if (answer.reason) rows.push([answer.name, "", "", "", "", "", "", "", "", "", ...names.map(() => ""), answer.reason]);
    for (const { time, faces } of moments) {
      faces.forEach((face, number) => {
        const { left = "", top = "", width = "", height = "" } = face.box ?? {};
        rows.push([answer.name, time, face.person ?? number + 1, left, top, width, height, face.confidence ?? "", face.class_name,
          face.probability, ...names.map((name) => face.probabilities[name]), ""]);
      });
    }
  }
  return rows.map((row) => row.map(quoted).join(",")).join("\n") + "\n";
}

const quoted = (value) => (/[",\n\r]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));

function save(name, type, text) {
  const link = make("a", { download: name, href: URL.createObjectURL(new Blob([text], { type })) });
  link.click();
  URL.revokeObjectURL(link.href);
}

function clear() {
  answers.length = 0;
  byId("results").replaceChildren();
  byId("bar").hidden = true;
  say("");
  byId("files").focus();
}

// --- Small things ---

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function draw(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function write(text, attributes) {
  const element = draw("text", attributes);
  element.textContent = text;
  return element;
}

function colored(tag, className) {
  const element = document.createElement(tag);
  element.style.background = colorOf(className);
  return element;
}

function say(text, isBad = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("bad", isBad);
}

const colorOf = (className) => COLORS[network.class_names.indexOf(className) % COLORS.length];
const percent = (value) => `${Math.round(100 * value)}%`;
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
