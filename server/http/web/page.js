// The page on jobs. Everything that came from a client is put into the document as text, never as markup.
"use strict";

const POLL_MS = 1000;
const MOST_ROWS = 200;
const SVG = "http://www.w3.org/2000/svg";

const main = document.getElementById("main");
let round = 0;    // of drawing; an answer to an older one is dropped
let timer = null;

function element(name, properties, ...children) {
  const made = document.createElement(name);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

function drawn(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  return made;
}

class Refused extends Error {}

async function fetchFrom(path) {
  const token = sessionStorage.getItem("token");
  const answer = await fetch(path, token ? {headers: {Authorization: "Bearer " + token}} : {});
  if (answer.status === 401) throw new Refused(token ? (await answer.text()).trim() : "");
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer;
}

// ------------------------------------------------------------------ words

const STATES = {JOB_STATE_QUEUED: "queued", JOB_STATE_RUNNING: "running", JOB_STATE_DONE: "done",
  JOB_STATE_FAILED: "failed", JOB_STATE_CANCELLED: "cancelled"};
const ANSWERS = {ANSWER_UNSAT: "unsat", ANSWER_SAT: "sat", ANSWER_UNKNOWN: "unknown"};
const MEANINGS = {unsat: "verified: no input of the query's box reaches the unsafe set",
  sat: "falsified: the witness below is a counterexample", unknown: "not decided"};

const stateOf = (job) => STATES[job.state] || "?";
const answerOf = (job) => ANSWERS[job.answer] || "";
const hasEnded = (job) => ["done", "failed", "cancelled"].includes(stateOf(job));
const number = (value) => value === undefined ? "" : Number(Number(value).toPrecision(7)).toString();
const clock = (seconds) => seconds ? new Date(1000 * seconds).toISOString().replace("T", " ").slice(0, 19) : "";

function lasted(job) {
  if (!job.startedS) return "";
  const end = job.finishedS || Date.now() / 1000;
  return Math.max(0, end - job.startedS).toFixed(end - job.startedS < 10 ? 2 : 0) + " s";
}

function table(rows, properties) {
  const body = element("tbody", {});
  for (const row of rows) body.append(element("tr", {}, ...row));
  return element("div", {className: "scroll"}, element("table", properties || {}, body));
}

const cell = (content, className) => element("td", {className: className || ""}, content);
const head = (content, className) => element("th", {className: className || ""}, content);

// ------------------------------------------------------------------ list

async function showList(page) {
  const answer = await (await fetchFrom("/web/jobs?page=" + encodeURIComponent(page))).json();
  const rows = [["Job", "Label", "Client", "State", "Answer", "Submitted (UTC)", "Time"].map((name) => head(name))];
  for (const job of answer.jobs || []) {
    const link = element("a", {href: "#job=" + encodeURIComponent(job.jobId)}, job.jobId.slice(0, 12));
    rows.push([cell(link), cell(job.label || ""), cell(job.client || ""), cell(stateOf(job), stateOf(job)),
      cell(answerOf(job), answerOf(job)), cell(clock(job.createdS)), cell(lasted(job), "number")]);
  }
  const parts = [rows.length > 1 ? table(rows, {className: "jobs"}) : element("p", {className: "quiet"}, "No jobs.")];
  if (answer.nextPageToken)
    parts.push(element("p", {}, element("a", {href: "#page=" + encodeURIComponent(answer.nextPageToken)}, "Older jobs")));
  return {where: "jobs, newest first", parts, live: !page};
}

// ------------------------------------------------------------------ curve

// Bound over time of the last attempt: [[seconds, bound]].
function boundsOf(events) {
  let points = [];
  for (const event of events) {
    if (event.started) points = [];
    const bound = event.progress ? Number(event.progress.bound || 0) : NaN;
    if (Number.isFinite(bound)) points.push([event.progress.seconds || 0, bound]);
  }
  return points;
}

function curve(points) {
  const [width, height, left, right, top, bottom] = [720, 260, 70, 20, 16, 34];
  const picture = drawn("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "bound over time"});
  const lastTime = Math.max(points[points.length - 1][0], 1e-3);
  let low = Math.min(0, ...points.map((point) => point[1]));
  let high = Math.max(0, ...points.map((point) => point[1]));
  if (low === high) { low -= 1; high += 1; }
  const x = (seconds) => left + (width - left - right) * seconds / lastTime;
  const y = (bound) => top + (height - top - bottom) * (high - bound) / (high - low);
  picture.append(drawn("line", {x1: left, y1: top, x2: left, y2: height - bottom, class: "axis"}),
    drawn("line", {x1: left, y1: height - bottom, x2: width - right, y2: height - bottom, class: "axis"}),
    drawn("line", {x1: left, y1: y(0), x2: width - right, y2: y(0), class: "zero"}));
  const path = points.map((point, i) => (i ? "L" : "M") + x(point[0]).toFixed(1) + " " + y(point[1]).toFixed(1));
  picture.append(drawn("path", {d: path.join(""), class: "curve"}));
  const last = points[points.length - 1];
  picture.append(drawn("circle", {cx: x(last[0]), cy: y(last[1]), r: 4}));
  for (const value of new Set([low, 0, high])) {
    picture.append(drawn("text", {x: left - 8, y: y(value) + 4, "text-anchor": "end"}, number(value.toPrecision(3))));
  }
  picture.append(drawn("text", {x: left, y: height - 12}, "0 s"),
    drawn("text", {x: width - right, y: height - 12, "text-anchor": "end"}, number(lastTime.toPrecision(3)) + " s"));
  return picture;
}

// ------------------------------------------------------------------ witness

// Limits of the inputs in a VNN-LIB text: the nearest ones around the witness, where the query has several boxes.
function boxOf(query, witness) {
  const lower = witness.map(() => -Infinity);
  const upper = witness.map(() => Infinity);
  let several = false;
  for (const found of query.matchAll(/\(\s*(<=|>=)\s+X_(\d+)\s+([-+.\deE]+)\s*\)/g)) {
    const i = Number(found[2]);
    const value = Number(found[3]);
    if (!(i < witness.length) || !Number.isFinite(value)) continue;
    // a witness may lie on a limit that its own arithmetic rounds
    const slack = 1e-6 * Math.max(1, Math.abs(value));
    const [limits, fits] = found[1] === ">=" ? [lower, value <= witness[i] + slack] : [upper, value >= witness[i] - slack];
    several = several || (Number.isFinite(limits[i]) && limits[i] !== value);
    if (!fits) continue;
    if (limits === lower ? value > lower[i] : value < upper[i]) limits[i] = value;
  }
  const known = lower.every(Number.isFinite) && upper.every(Number.isFinite);
  return {lower, upper, several, centre: known ? lower.map((value, i) => (value + upper[i]) / 2) : null};
}

// How a model's input is laid out as a picture; null: it is none.
function imageOf(shape, size) {
  const dims = (shape || []).length === 4 && shape[0] === 1 ? shape.slice(1) : (shape || []).slice();
  if (dims.length !== 3 || dims[0] * dims[1] * dims[2] !== size) return null;
  if (dims[0] === 1 || dims[0] === 3)
    return {channels: dims[0], height: dims[1], width: dims[2], at: (c, p) => c * dims[1] * dims[2] + p};
  if (dims[2] === 1 || dims[2] === 3)
    return {channels: dims[2], height: dims[0], width: dims[1], at: (c, p) => p * dims[2] + c};
  return null;
}

function picture(image, values, low, high, caption) {
  const canvas = element("canvas", {width: image.width, height: image.height});
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(image.width, image.height);
  for (let p = 0; p < image.width * image.height; ++p) {
    for (let c = 0; c < 3; ++c) {
      const value = values[image.at(image.channels === 3 ? c : 0, p)];
      pixels.data[4 * p + c] = Math.round(255 * (value - low) / (high - low));
    }
    pixels.data[4 * p + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
  return element("figure", {}, canvas, element("figcaption", {}, caption));
}

function pictures(image, witness, box) {
  const all = box.centre ? witness.concat(box.centre) : witness;
  const inside = all.every((value) => value >= 0 && value <= 1);
  const low = inside ? 0 : Math.min(...all);
  const high = inside ? 1 : Math.max(...all, low + 1e-9);
  const range = inside ? "" : `, ${number(low)} to ${number(high)} as black to white`;
  const made = element("div", {className: "pictures"});
  if (box.centre) made.append(picture(image, box.centre, low, high, "original: the box's centre" + range));
  made.append(picture(image, witness, low, high, "witness" + range));
  if (box.centre) {
    const change = witness.map((value, i) => value - box.centre[i]);
    const most = Math.max(...change.map(Math.abs), 1e-12);
    made.append(picture(image, change, -most, most, `difference; black is −${number(most)}, white +${number(most)}`));
  }
  return made;
}

function inputTable(witness, box) {
  const rows = [["Input", "Lower", "Centre", "Upper", "Witness"].map((name) => head(name, "number"))];
  witness.slice(0, MOST_ROWS).forEach((value, i) => {
    const limits = [box.lower[i], box.centre ? box.centre[i] : NaN, box.upper[i], value];
    rows.push([cell("X_" + i, "number"), ...limits.map((v) => cell(Number.isFinite(v) ? number(v) : "", "number"))]);
  });
  const made = element("div", {}, table(rows));
  if (witness.length > MOST_ROWS)
    made.append(element("p", {className: "quiet"}, `and ${witness.length - MOST_ROWS} more`));
  return made;
}

const queries = new Map();  // by job; a text does not change

async function witnessParts(job, shape) {
  const witness = job.result.witness.input.map(Number);
  if (!queries.has(job.jobId)) {
    try {
      queries.set(job.jobId, await (await fetchFrom("/web/query?id=" + encodeURIComponent(job.jobId))).text());
    } catch (problem) {
      if (problem instanceof Refused) throw problem;
      queries.set(job.jobId, "");  // it is not kept any more
    }
  }
  const box = boxOf(queries.get(job.jobId), witness);
  const image = imageOf(shape, witness.length);
  const parts = [element("h2", {}, "Witness")];
  if (box.several)
    parts.push(element("p", {className: "quiet"}, "The query has several boxes; these are the limits nearest to the witness."));
  parts.push(image ? pictures(image, witness, box) : inputTable(witness, box));
  const output = (job.result.witness.output || []).map((value, i) => [cell("Y_" + i, "number"), cell(number(value), "number")]);
  parts.push(element("h2", {}, "Outputs at the witness"), table(output.slice(0, MOST_ROWS)));
  return parts;
}

// ------------------------------------------------------------------ job

let shown = {id: "", events: []};

async function showJob(id) {
  if (shown.id !== id) shown = {id, events: []};
  const mine = shown;
  let answer;
  do {
    const from = mine.events.length + 1;
    answer = await (await fetchFrom(`/web/job?id=${encodeURIComponent(id)}&from=${from}`)).json();
    mine.events.push(...answer.events);
  } while (answer.events.length > 0 && mine.events.length < Number(answer.job.lastSequence || 0));
  const job = answer.job;
  const result = job.result || {};
  const verdict = answerOf(job) || stateOf(job);
  const parts = [element("p", {className: "verdict " + verdict}, verdict),
    element("p", {className: "quiet"}, MEANINGS[verdict] || "")];
  for (const text of [result.reason, (job.error || {}).message]) if (text) parts.push(element("p", {}, text));
  const last = mine.events.filter((event) => event.progress).pop();
  const record = result.record || {};
  const statistics = result.statistics || {};
  const facts = [["Job", job.jobId], ["Label", job.label], ["Client", job.client], ["Submitted (UTC)", clock(job.createdS)],
    ["Run", lasted(job) && `${lasted(job)}, attempt ${job.attempts}`], ["Phase", !hasEnded(job) && last && last.progress.phase],
    ["Open subproblems", !hasEnded(job) && last && (last.progress.open || "0")],
    ["Subproblems bounded", statistics.domains], ["Device", record.device], ["Engine", record.version],
    ["Model", ((job.verify || {}).model || {}).sha256], ["Query", ((job.verify || {}).query || {}).sha256]];
  parts.push(table(facts.filter((fact) => fact[1]).map((fact) => [head(fact[0]), cell(String(fact[1]))])));
  const points = boundsOf(mine.events);
  if (points.length > 0)
    parts.push(element("h2", {}, "Worst lower bound over time (above zero proves)"), curve(points));
  if ((result.witness || {}).input) parts.push(...await witnessParts(job, answer.inputShape));
  const waits = result.witness && answer.inputShape === null;
  return {where: job.label || job.jobId, parts, live: !hasEnded(job) || waits};
}

// ------------------------------------------------------------------ page

function askForToken(why) {
  const field = element("input", {type: "password", placeholder: "token", autocomplete: "off"});
  const form = element("form", {}, field, element("button", {}, "Show"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem("token", field.value.trim());
    draw();
  });
  main.replaceChildren(element("p", {}, why || "This server asks for a token, as for espalier --token-file."), form);
  field.focus();
}

async function draw() {
  clearTimeout(timer);
  const mine = ++round;
  const hash = new URLSearchParams(location.hash.slice(1));
  let live = true;
  try {
    const view = hash.get("job") ? await showJob(hash.get("job")) : await showList(hash.get("page") || "");
    if (mine !== round) return;
    live = view.live;
    document.getElementById("where").textContent = view.where;
    main.replaceChildren(...view.parts);
  } catch (problem) {
    if (mine !== round) return;
    if (problem instanceof Refused) {
      askForToken(problem.message);
      return;
    }
    main.replaceChildren(element("p", {className: "failed"}, String(problem.message || "the server is away")));
  }
  if (live) timer = setTimeout(draw, POLL_MS);
}

addEventListener("hashchange", draw);
draw();
