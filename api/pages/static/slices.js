// Plays slices of a submission's field beside a real one, in the same logarithmic colours.

import { parseNpy } from "./npy.js";

const section = document.getElementById("slice-player");
const depth = document.getElementById("slices-depth");
const number = document.getElementById("slices-number");
const play = document.getElementById("slices-play");
const DECADES = 5; // level 255 is 10^5 particles per voxel
const FRAMES_A_SECOND = 12;

// Colours from empty to dense, between which others are mixed.
const ANCHORS = [[5, 3, 20], [48, 18, 94], [122, 28, 109], [196, 61, 78], [244, 135, 42], [252, 214, 97], [255, 252, 224]];

function colour(share) {
  const at = Math.min(Math.max(share, 0), 1) * (ANCHORS.length - 1);
  const i = Math.min(Math.floor(at), ANCHORS.length - 2);
  return ANCHORS[i].map((from, c) => from + (ANCHORS[i + 1][c] - from) * (at - i));
}

function paletteFor(low, high) {
  const palette = new Uint32Array(256);
  for (let level = 0; level < 256; level++) {
    const [r, g, b] = colour((level - low) / (high - low));
    palette[level] = (255 << 24) | (b << 16) | (g << 8) | r;
  }
  return palette;
}

async function load(url) {
  const answer = await fetch(url);
  return answer.ok ? parseNpy(await answer.arrayBuffer()) : null;
}

// Level below which a share of all voxels lies.
function quantile(levels, share) {
  const counts = new Uint32Array(256);
  for (const level of levels) counts[level]++;
  let seen = 0;
  return counts.findIndex((count) => (seen += count) >= share * levels.length);
}

function draw(canvas, { shape, data }, frame, palette) {
  const [frames, side] = shape;
  canvas.width = canvas.height = side;
  const image = new ImageData(side, side);
  const pixels = new Uint32Array(image.data.buffer);
  const start = Math.min(frame, frames - 1) * side * side;
  for (let i = 0; i < pixels.length; i++) pixels[i] = palette[data[start + i]];
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function drawScale(palette, low, high) {
  const canvas = document.getElementById("slices-scale");
  const image = new ImageData(256, 1);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < 256; i++) pixels[i] = palette[Math.round(low + ((high - low) * i) / 255)];
  canvas.getContext("2d").putImageData(image, 0, 0);
  const density = (level) => (10 ** ((level * DECADES) / 255) - 1).toPrecision(2).replace(/e\+?/, "e");
  document.getElementById("slices-range").textContent =
    `${Number(density(low))} to ${Number(density(high))} particles per voxel, logarithmic`;
}

async function start() {
  const [own, real] = await Promise.all([
    load(`/api/v1/submissions/${section.dataset.submission}/preview`),
    load(`/api/v1/tracks/${section.dataset.track}/training-preview`),
  ]);
  if (!own) return;
  const reference = (real ?? own).data;
  const low = quantile(reference, 0.002);
  const high = Math.max(quantile(reference, 0.999), low + 8);
  const palette = paletteFor(low, high);
  const last = Math.min(own.shape[0], real?.shape[0] ?? Infinity) - 1;
  document.getElementById("real-viewer").hidden = !real;

  function show() {
    const frame = Number(depth.value);
    draw(document.getElementById("slices-submission"), own, frame, palette);
    if (real) draw(document.getElementById("slices-real"), real, frame, palette);
    number.value = `${frame + 1} of ${last + 1}`;
  }

  let timer = null;
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  }

  play.addEventListener("click", () => {
    if (timer) return stop();
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(() => {
      depth.value = (Number(depth.value) + 1) % (last + 1);
      show();
    }, 1000 / FRAMES_A_SECOND);
  });
  depth.addEventListener("input", () => {
    if (timer) stop();
    show();
  });

  depth.max = last;
  depth.value = Math.floor(last / 2);
  section.hidden = false;
  drawScale(palette, low, high);
  show();
}

start();
