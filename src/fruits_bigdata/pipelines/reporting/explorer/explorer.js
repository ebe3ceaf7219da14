"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);

const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const n = data.paths.length;
const label = new Uint16Array(bytes(data.label).buffer);
const tile = new Uint16Array(bytes(data.tile).buffer);
const packed = new Uint16Array(bytes(data.scores).buffer);
// From -1 to 1 by the largest score of all, so that distances on the map are distances of scores.
const place = new Float32Array(3 * n);
for (let i = 0; i < 3 * n; i++) place[i] = packed[i] / 32767.5 - 1;

const COLOURS = data.colours.map((text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)));
const DIM = [205, 205, 205];
const MAX_LISTED = 500;
const PICK = 9;

const counts = new Uint32Array(data.labels.length);
for (const one of label) counts[one]++;
const chosen = new Set();
let lit = new Uint8Array(n).fill(1);

// The view: a rotation, a zoom and a shift in pixels.
const start = { solid: false, yaw: 0.6, pitch: 0.4, zoom: 1, x: 0, y: 0 };
let view = { ...start };
let hovered = -1;
let waiting = false;

let canvas = element("points");
const overlay = element("overlay");
const pen = overlay.getContext("2d");
let width = 0, height = 0, ratio = 1;

function axes() {
  if (!view.solid) return [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const [sy, cy, sp, cp] = [Math.sin(view.yaw), Math.cos(view.yaw), Math.sin(view.pitch), Math.cos(view.pitch)];
  // Rows: right, up, towards the reader.
  return [cy, 0, sy, sp * sy, cp, -sp * cy, -cp * sy, sp, cp * cy];
}

// Pixels for 1; the cloud is not round, so in 2-D it fills the window in its longer direction.
const scale = () => 0.5 * view.zoom * (view.solid ? 0.85 * Math.min(width, height) : fill());
const fill = () => 0.93 * Math.min(width / extent[0], height / extent[1]);
const extent = [0, 1].map((axis) => {
  let low = Infinity, high = -Infinity;
  for (let i = axis; i < 3 * n; i += 3) { low = Math.min(low, place[i]); high = Math.max(high, place[i]); }
  return [Math.max((high - low) / 2, 1e-3), (high + low) / 2];
}).reduce((found, [half, middle], axis) => { found[axis] = half; found[axis + 2] = middle; return found; }, []);
const centre = () => (view.solid ? [0, 0] : [extent[2], extent[3]]);

function project(m, at, s, middle) {
  const [x, y, z] = [place[at], place[at + 1], place[at + 2]];
  return [
    width / 2 + view.x + s * (m[0] * x + m[1] * y + m[2] * z - middle[0]),
    height / 2 + view.y - s * (m[3] * x + m[4] * y + m[5] * z - middle[1]),
    m[6] * x + m[7] * y + m[8] * z,
  ];
}

const radius = () => Math.min(6, Math.max(1.6, 250 / Math.sqrt(n)) * Math.sqrt(Math.max(1, view.zoom)));

// WebGL where there is any; else the same on a plain canvas.
function makePainter() {
  const gl = canvas.getContext("webgl", { antialias: false, alpha: false });
  const made = gl && withWebGl(gl);
  if (made) return made;
  if (gl) {
    // A canvas keeps the kind of its first context.
    const other = canvas.cloneNode();
    canvas.replaceWith(other);
    canvas = other;
  }
  return withCanvas(canvas.getContext("2d"));
}

function withWebGl(gl) {
  const compile = (kind, text) => {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  };
  const program = gl.createProgram();
  compile(gl.VERTEX_SHADER, `
    attribute vec3 place; attribute vec4 colour;
    uniform mat3 turn; uniform vec2 scale, shift, middle; uniform mediump float size; uniform float lit;
    varying vec3 ink;
    void main() {
      vec3 seen = turn * place;
      gl_Position = vec4((seen.xy - middle) * scale + shift, -0.4 * seen.z, 1.0);
      if ((colour.a > 0.5) != (lit > 0.5)) gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
      gl_PointSize = size; ink = colour.rgb;
    }`);
  compile(gl.FRAGMENT_SHADER, `
    precision mediump float; varying vec3 ink; uniform float size;
    void main() {
      float from = length(gl_PointCoord - 0.5) * size, edge = 0.5 * size;
      if (from > edge) discard;
      float cover = clamp(edge - from, 0.0, 1.0);
      vec3 rim = size > 6.0 ? ink * 0.72 : ink;
      gl_FragColor = vec4(mix(rim, ink, smoothstep(0.0, 1.0, edge - from - 0.6)), cover);
    }`);
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
  gl.useProgram(program);
  const uniform = (name) => gl.getUniformLocation(program, name);
  const at = Object.fromEntries(
    ["turn", "scale", "shift", "middle", "size", "lit"].map((name) => [name, uniform(name)]));
  const attribute = (name, values, length, kind, normalised) => {
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    const location = gl.getAttribLocation(program, name);
    gl.enableVertexAttribArray(location);
    gl.vertexAttribPointer(location, length, kind, normalised, 0, 0);
    return buffer;
  };
  attribute("place", place, 3, gl.FLOAT, false);
  const inks = new Uint8Array(4 * n);
  const buffer = attribute("colour", inks, 4, gl.UNSIGNED_BYTE, true);
  let passes = [1];
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
  gl.depthFunc(gl.LEQUAL);
  gl.clearColor(1, 1, 1, 1);
  return {
    colour() {
      for (let i = 0; i < n; i++) {
        inks.set(lit[i] ? COLOURS[label[i] % COLOURS.length] : DIM, 4 * i);
        inks[4 * i + 3] = lit[i] ? 255 : 0;
      }
      passes = lit.includes(0) ? [0, 1] : [1];
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, inks);
    },
    paint() {
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      const m = axes(), s = scale();
      gl.uniformMatrix3fv(at.turn, false, [m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]]);
      gl.uniform2f(at.scale, (2 * s) / width, (2 * s) / height);
      gl.uniform2f(at.shift, (2 * view.x) / width, (-2 * view.y) / height);
      gl.uniform2fv(at.middle, centre());
      gl.uniform1f(at.size, 2 * radius() * ratio);
      (view.solid ? gl.enable : gl.disable).call(gl, gl.DEPTH_TEST);
      for (const bright of passes) {
        gl.uniform1f(at.lit, bright);
        gl.drawArrays(gl.POINTS, 0, n);
      }
    },
  };
}

function withCanvas(brush) {
  return {
    colour() {},
    paint() {
      brush.setTransform(ratio, 0, 0, ratio, 0, 0);
      brush.fillStyle = "#fff";
      brush.fillRect(0, 0, width, height);
      const m = axes(), s = scale(), middle = centre(), side = Math.max(2, 1.6 * radius());
      for (const bright of [0, 1]) {
        for (let colour = 0; colour < (bright ? COLOURS.length : 1); colour++) {
          brush.fillStyle = `rgb(${(bright ? COLOURS[colour] : DIM).join()})`;
          for (let i = 0; i < n; i++) {
            if (lit[i] !== bright || (bright && label[i] % COLOURS.length !== colour)) continue;
            const [x, y] = project(m, 3 * i, s, middle);
            brush.fillRect(x - side / 2, y - side / 2, side, side);
          }
        }
      }
    },
  };
}

function drawOverlay() {
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  pen.fillStyle = "#555";
  pen.strokeStyle = "#999";
  const name = (axis) => `PC${axis + 1} (${(100 * data.ratios[axis]).toFixed(1)} %)`;
  if (view.solid) {
    const m = axes(), s = 0.95 * scale();
    for (let axis = 0; axis < Math.min(3, data.ratios.length); axis++) {
      const [dx, dy] = [s * m[axis], -s * m[3 + axis]];
      const [x, y] = [width / 2 + view.x, height / 2 + view.y];
      pen.globalAlpha = 0.6;
      pen.beginPath();
      pen.moveTo(x - dx, y - dy);
      pen.lineTo(x + dx, y + dy);
      pen.stroke();
      pen.globalAlpha = 1;
      label3(name(axis), x + dx, y + dy);
    }
  } else {
    pen.textAlign = "left";
    pen.fillText(`${name(0)} \u2192`, 12, height - 12);
    if (data.ratios.length > 1) {
      pen.save();
      pen.translate(20, height - 34);
      pen.rotate(-Math.PI / 2);
      pen.fillText(`${name(1)} \u2192`, 0, 0);
      pen.restore();
    }
  }
  if (hovered >= 0) {
    const [x, y] = project(axes(), 3 * hovered, scale(), centre());
    pen.strokeStyle = "#000";
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, y, radius() + 3, 0, 2 * Math.PI);
    pen.stroke();
    pen.lineWidth = 1;
  }
}

function label3(text, x, y) {
  pen.textAlign = "center";
  const half = pen.measureText(text).width / 2 + 4;
  const [left, top] = [Math.min(width - half, Math.max(half, x)), Math.min(height - 8, Math.max(16, y))];
  pen.fillStyle = "rgba(255,255,255,.8)";
  pen.fillRect(left - half, top - 12, 2 * half, 17);
  pen.fillStyle = "#333";
  pen.fillText(text, left, top);
}

let painter = makePainter();
canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
canvas.addEventListener("webglcontextrestored", () => { painter = makePainter(); painter.colour(); draw(); });

function draw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; painter.paint(); drawOverlay(); });
}

function resize() {
  const box = overlay.getBoundingClientRect();
  [width, height, ratio] = [box.width, box.height, Math.min(2, devicePixelRatio || 1)];
  for (const one of [canvas, overlay]) {
    one.width = Math.max(1, Math.round(width * ratio));
    one.height = Math.max(1, Math.round(height * ratio));
  }
  draw();
}

// The nearest lit point to the pointer; where several are as near, the one in front.
function find(px, py) {
  const m = axes(), s = scale(), middle = centre(), reach = Math.max(PICK, radius() + 2);
  let best = -1, least = Infinity;
  for (let i = 0, at = 0; i < n; i++, at += 3) {
    if (!lit[i]) continue;
    const [x, y, z] = project(m, at, s, middle);
    const apart = (x - px) * (x - px) + (y - py) * (y - py);
    if (apart > reach * reach) continue;
    const rank = view.solid ? apart - 40 * z : apart;
    if (rank < least) { least = rank; best = i; }
  }
  return best;
}

const sheets = data.sheets.map(() => null);
function sheet(number) {
  if (!sheets[number]) {
    sheets[number] = new Image();
    sheets[number].src = `data:image/jpeg;base64,${data.sheets[number]}`;
    sheets[number].onload = () => { if (hovered >= 0) showCard(); };
  }
  return sheets[number];
}

let pointer = [0, 0];
function hover(px, py) {
  pointer = [px, py];
  const found = find(px, py);
  if (found !== hovered) { hovered = found; draw(); }
  element("card").hidden = hovered < 0;
  if (hovered >= 0) showCard();
}

function showCard() {
  element("label").textContent = named(label[hovered]);
  element("path").textContent = data.paths[hovered];
  const scores = Array.from(place.subarray(3 * hovered, 3 * hovered + Math.min(3, data.ratios.length)));
  element("scores").textContent =
    scores.map((score, axis) => `PC${axis + 1} ${(score * data.largest).toFixed(1)}`).join(", ");
  const picture = element("picture");
  const number = tile[hovered] - 1;
  picture.hidden = number < 0;
  if (number >= 0) {
    const image = sheet(Math.floor(number / (data.columns * data.rows)));
    const inside = number % (data.columns * data.rows);
    const from = [(inside % data.columns) * data.side, Math.floor(inside / data.columns) * data.side];
    const brush = picture.getContext("2d");
    brush.fillStyle = "#eee";
    brush.fillRect(0, 0, 192, 192);
    if (image.complete) brush.drawImage(image, ...from, data.side, data.side, 0, 0, 192, 192);
  }
  const card = element("card");
  const [wide, high] = [card.offsetWidth, card.offsetHeight];
  const right = pointer[0] + 18 + wide < width;
  card.style.left = `${right ? pointer[0] + 18 : Math.max(0, pointer[0] - wide - 18)}px`;
  card.style.top = `${Math.max(4, Math.min(height - high - 4, pointer[1] - 40))}px`;
}

// A finger or a button moves the map; in 3-D it turns it, and moves it with Shift or another button.
let dragged = null;
overlay.addEventListener("pointerdown", (event) => {
  dragged = { x: event.clientX, y: event.clientY, turns: view.solid && event.button === 0 && !event.shiftKey };
  overlay.setPointerCapture(event.pointerId);
  element("card").hidden = true;
});
overlay.addEventListener("pointerup", () => { dragged = null; });
overlay.addEventListener("pointercancel", () => { dragged = null; });
overlay.addEventListener("contextmenu", (event) => event.preventDefault());
overlay.addEventListener("pointerleave", () => { hovered = -1; element("card").hidden = true; draw(); });
overlay.addEventListener("pointermove", (event) => {
  const box = overlay.getBoundingClientRect();
  if (!dragged) { hover(event.clientX - box.left, event.clientY - box.top); return; }
  const [dx, dy] = [event.clientX - dragged.x, event.clientY - dragged.y];
  [dragged.x, dragged.y] = [event.clientX, event.clientY];
  if (dragged.turns) {
    view.yaw += dx * 0.008;
    view.pitch = Math.max(-1.57, Math.min(1.57, view.pitch + dy * 0.008));
  } else {
    view.x += dx;
    view.y += dy;
  }
  draw();
});

function zoom(factor, px, py) {
  const next = Math.max(0.3, Math.min(400, view.zoom * factor));
  const by = next / view.zoom;
  view.x = px - width / 2 - by * (px - width / 2 - view.x);
  view.y = py - height / 2 - by * (py - height / 2 - view.y);
  view.zoom = next;
  draw();
}
overlay.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = overlay.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY * 0.0015), event.clientX - box.left, event.clientY - box.top);
}, { passive: false });
overlay.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-40, 0], ArrowRight: [40, 0], ArrowUp: [0, -40], ArrowDown: [0, 40] }[event.key];
  if (step && view.solid) { view.yaw += step[0] * 0.004; view.pitch += step[1] * 0.004; draw(); }
  else if (step) { view.x -= step[0]; view.y -= step[1]; draw(); }
  else if (event.key === "+" || event.key === "=") zoom(1.25, width / 2, height / 2);
  else if (event.key === "-") zoom(0.8, width / 2, height / 2);
});

// An image at the top of the folder has no label.
const named = (i) => data.labels[i] || "(no label)";
const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

function filter() {
  const asked = element("search").value.trim().toLowerCase();
  const found = data.labels.map((name) => name.toLowerCase().includes(asked));
  const on = data.labels.map((_, i) => (chosen.size ? chosen.has(i) : found[i]));
  let images = 0;
  lit = Uint8Array.from(label, (one) => (on[one] ? (images++, 1) : 0));
  element("status").textContent = images === n
    ? `${counted(n, "image")}, ${counted(data.labels.length, "label")}`
    : `${images.toLocaleString("en")} of ${counted(n, "image")} shown`;
  element("all").hidden = !asked && !chosen.size;
  const list = element("labels");
  list.replaceChildren();
  const names = data.order.filter((i) => found[i] || chosen.has(i));
  for (const i of names.slice(0, MAX_LISTED)) list.append(entry(i));
  const rest = names.length - MAX_LISTED;
  if (rest > 0 || !names.length) {
    const more = document.createElement("li");
    more.className = "more";
    more.textContent = names.length ? `and ${rest.toLocaleString("en")} more: search` : "No label holds these letters";
    list.append(more);
  }
  hovered = -1;
  element("card").hidden = true;
  painter.colour();
  draw();
}

function entry(i) {
  const item = document.createElement("li"), button = document.createElement("button");
  const part = (kind, text) => {
    const span = document.createElement("span");
    span.className = kind;
    span.textContent = text;
    button.append(span);
    return span;
  };
  button.type = "button";
  button.title = data.labels[i];
  button.setAttribute("aria-pressed", chosen.has(i));
  part("swatch", "").style.background = data.colours[i % COLOURS.length];
  part("name", named(i));
  part("count", counts[i].toLocaleString("en"));
  button.addEventListener("click", () => {
    if (!chosen.delete(i)) chosen.add(i);
    filter();
  });
  item.append(button);
  return item;
}

function setSolid(solid) {
  view = { ...start, solid };
  element("flat").setAttribute("aria-pressed", !solid);
  element("solid").setAttribute("aria-pressed", solid);
  element("help").textContent = solid
    ? "drag: turn; Shift and drag: move; wheel: zoom" : "drag: move; wheel: zoom";
  hovered = -1;
  element("card").hidden = true;
  draw();
}

element("flat").addEventListener("click", () => setSolid(false));
element("solid").addEventListener("click", () => setSolid(true));
element("reset").addEventListener("click", () => setSolid(view.solid));
element("search").addEventListener("input", filter);
element("all").addEventListener("click", () => { chosen.clear(); element("search").value = ""; filter(); });
element("solid").disabled = data.ratios.length < 3;
element("finding").textContent = data.finding;
element("sampled").textContent = data.sampled;
new ResizeObserver(resize).observe(overlay);
resize();
setSolid(false);
filter();
