// Pictures on canvases: shown, drawn by hand, read from a file, and read back.
// x: the values of each channel, row by row, from 0 (of one channel) or -1 (of three) to 1.

// Show x on the first canvas of a figure.
export function show(figure, x, label) {
  const canvas = figure.querySelector("canvas"), pixels = canvas.width ** 2;
  const image = new ImageData(canvas.width, canvas.width);
  for (let i = 0; i < 4 * pixels; i++) {
    const pixel = Math.floor(i / 4), channel = i % 4; // red, green, blue, opacity
    const level = x.length === pixels ? x[pixel] : (x[channel * pixels + pixel] + 1) / 2;
    image.data[i] = channel === 3 ? 255 : 255 * level;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  if (label) figure.querySelector("figcaption").textContent = canvas.ariaLabel = label;
}

// What a canvas shows, from 0 to 1, in one of its channels: 0 is red, 3 the opacity
export function channelOf(canvas, which) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.width);
  return Float32Array.from({ length: data.length / 4 }, (_, i) => data[4 * i + which] / 255);
}

// The x of a canvas in colour
export const values = (canvas) => Float32Array.from(
  [0, 1, 2].flatMap((which) => [...channelOf(canvas, which)]), (level) => 2 * level - 1);

// Show the middle square of any picture file, on white where it is transparent.
export async function showFile(canvas, file) {
  const picture = await createImageBitmap(file).catch(() => {
    throw new Error(
      `${file.name} cannot be read as a picture; save it as PNG or JPEG, or smaller.`);
  });
  const { width, height } = picture, square = Math.min(width, height), side = canvas.width;
  const [left, top] = [(width - square) / 2, (height - square) / 2];
  const context = fill(canvas, "white");
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, left, top, square, square, 0, 0, side, side);
}

// Fill a rectangle of a canvas, without one all of it.
export function fill(canvas, fillStyle, hole = [0, 0, canvas.width, canvas.width]) {
  const context = canvas.getContext("2d"), [left, top, right, bottom] = hole;
  Object.assign(context, { fillStyle }).fillRect(left, top, right - left, bottom - top);
  return context;
}

const MOVES = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], " ": [0, 0],
};

// Let the reader draw on a sketch with mouse or finger, or by keyboard: arrows move the pen, space
// lowers or lifts it. After each stroke the sketch's form changes. Returns what holds the colour.
export function drawOn(figure, lineWidth, strokeStyle) {
  const canvas = figure.querySelector(".live-sketch"), pen = figure.querySelector(".live-pen");
  const side = canvas.width, context = canvas.getContext("2d", { willReadFrequently: true });
  let at = [side / 2, side / 2];
  Object.assign(context, { lineWidth, strokeStyle, lineCap: "round" });
  const place = ({ offsetX, offsetY }) =>
    [offsetX, offsetY].map((v) => (v * side) / canvas.clientWidth);
  const changed = () => canvas.dispatchEvent(new Event("change", { bubbles: true }));
  function draw(to) {
    context.beginPath();
    context.moveTo(...at);
    context.lineTo(...to);
    context.stroke();
    at = to;
  }
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    at = place(event);
    draw(at);
  };
  canvas.onpointermove = (event) => event.buttons && draw(place(event));
  canvas.onpointerup = changed;
  canvas.onblur = () => (pen.hidden = true);
  canvas.onkeydown = (event) => {
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    if (event.key === " ") pen.classList.toggle("down");
    const to = at.map((v, i) => Math.min(side - 0.5, Math.max(0.5, v + move[i])));
    if (pen.classList.contains("down")) draw(to);
    at = to;
    pen.hidden = false;
    [pen.style.left, pen.style.top] = to.map((v) => `${(100 * v) / side}%`);
    changed();
  };
  return context;
}
