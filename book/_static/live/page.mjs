// The live pages: a box of a chapter becomes controls and pictures once its reader asks for it.
import { button, choice, element, field, form, number, prompt, read, readPicture, row, Screen, screens, Sketch } from "./controls.mjs";
import { VIEWS } from "./denoisers.mjs";
import { about, isFetched, load, MB, size } from "./files.mjs";
import { digit, digitSteps, estimate, isPrepared, isTooLong, picture, pictureSteps } from "./models.mjs";
import { Generator, unitNoise } from "./noise.mjs";
import { Player } from "./player.mjs";
import { mix } from "./schedule.mjs";

const DIGITS = ["none", ...Array(10).keys()];
const STEPS = [11, 22, 33, 66, 99]; // each from t = 990 to 0
const text = (label, value) => prompt(label, value, Object.keys(about.prompts).filter(Boolean));
const guidance = (gamma) => number("γ", gamma, 0, 20, "any");
const seedField = (seed) => number("seed", seed, 0, 2 ** 32 - 1);
const emoji64 = () => ({ gamma: guidance(7), steps: choice("steps", STEPS, 33), seed: seedField(0) });

// {task: its fields}
const FIELDS = {
  b2: () => ({ steps: number("steps", 100, 1, 300), seed: seedField(7) }),
  b3: () => ({ digit: choice("digit", DIGITS, 7), gamma: guidance(3), ...FIELDS.b2() }),
  generate: () => ({ prompt: text("prompt", "a mushroom"), ...emoji64() }),
  sdedit: () => ({ ...FIELDS.generate(), iStart: number("start at step", 10, 0, 98) }),
  inpaint: () => ({
    prompt: text("prompt", "a butterfly"), ...emoji64(), times: number("times that each step is taken", 1, 1, 10) }),
  anagram: () => ({
    prompt: text("as it is", "a light bulb"), second: text("turned", "a pear"), ...emoji64(),
    view: choice("view", Object.keys(VIEWS)) }),
  hybrid: () => ({
    prompt: text("from afar", "a dog face"), second: text("from close by", "a tiger face"), ...emoji64(),
    sigma: number("σ of the blur", 3, 0.5, 8, "any") }),
};

// All but B1: fields, buttons and pictures of a run.
function sampler(box, task, say) {
  const ofDigits = task === "b2" || task === "b3", fields = FIELDS[task]();
  const player = ofDigits ? new Player(28, 1) : new Player(64, 3);
  const buttons = [button("Start", null, "submit"), player.go, player.back, player.forward];
  const shown = [player.x, player.x0Hat], below = [player.slider.label];
  const sketch = task === "sdedit" || task === "inpaint" ? pictureSketch(fields, buttons, task, say) : undefined;
  if (sketch) shown.unshift(sketch);
  if (task === "anagram") below.push(turning(player.x.canvas, fields.view));
  if (task === "hybrid") below.push(shrinking(player.x.canvas));
  async function start() {
    player.until = 0;
    say("Starting ...");
    try {
      const asked = { task, image: sketch?.x.slice(), mask: sketch?.mask?.slice(), ...read(fields) };
      asked.prompts = [asked.prompt, asked.second].filter(Boolean);
      const cut = await understood(asked.prompts, say);
      const run = await (ofDigits ? digitSteps : pictureSteps)(asked);
      const { steps, iStart = 0, times = 1 } = asked;
      await player.begin(run, (steps - iStart - 1) * times + 1, (text) => say(text + cut));
    } catch (error) {
      say(error.message);
    }
  }
  box.append(form(fields, start, ...buttons), screens(...shown), row(...below));
}

// Texts whose conditions do not ship need the text encoder -> a sentence, where it leaves out an end
async function understood(prompts, say) {
  const other = prompts.find((text) => !isPrepared(text)), encoder = ["text.onnx", "vocabulary.txt"];
  if (!other) return "";
  const question = `“${other}” is none of the prompts that are prepared; any other text needs the text encoder`;
  if (!isFetched(encoder) && !confirm(`${question}. Fetch it, ${MB(size(encoder))}?`)) throw new Error(`${question}.`);
  await load(encoder, say);
  const long = prompts.find(isTooLong);
  return long ? ` “${long}” is longer than the model reads; its end is left out.` : "";
}

// The picture of image to image and of inpainting: one that ships, a white page, or the reader's own.
function pictureSketch(fields, buttons, task, say) {
  const painting = task === "inpaint";
  const sketch = new Sketch(painting ? "paint what is to be replaced" : "draw here", 64, 3, 3);
  function show(x, hole) {
    if (painting) sketch.mask = filled(hole);
    sketch.put(x);
  }
  const shipped = choice("picture", [...about.pictures, "a white page"], "sailboat");
  shipped.onchange = () => {
    const name = shipped.read();
    show(about.pictures.includes(name) ? picture(name) : new Float32Array(12288).fill(1), about.holes[name]);
  };
  const own = field("or open one", element("input", { type: "file", accept: "image/*" }));
  own.onchange = () => readPicture(own.files[0]).then(show).catch((error) => say(error.message));
  const colour = field("colour of the pen", element("input", { type: "color", value: "#d02020" }));
  colour.oninput = () =>
    (sketch.colour = [1, 3, 5].map((i) => parseInt(colour.value.slice(i, i + 2), 16) / 127.5 - 1));
  Object.assign(fields, { shipped, own }, painting ? {} : { colour });
  if (painting) buttons.push(button("Clear the hole", () => show(sketch.x)));
  colour.oninput();
  shipped.onchange();
  return sketch;
}

// A mask that is 1 in a rectangle.
function filled([left, top, right, bottom] = [0, 0, 0, 0], side = 64) {
  return Uint8Array.from({ length: side ** 2 }, (_, i) => {
    const column = i % side, row = Math.floor(i / side);
    return column >= left && column < right && row >= top && row < bottom;
  });
}

const TURNED = { "upside down": "scaleY(-1)", "half turn": "rotate(180deg)", "quarter turn": "rotate(-90deg)" };

// A button that shows a picture in a view and back, as a click on it does
function turning(canvas, view) {
  canvas.onclick = () => {
    const turned = canvas.style.transform || canvas.style.filter, negative = view.read() === "negative";
    canvas.style.transform = turned || negative ? "" : TURNED[view.read()];
    canvas.style.filter = turned || !negative ? "" : "invert(1)";
  };
  return button("Turn the picture", canvas.onclick);
}

// A slider that looks at a picture from further away
function shrinking(canvas) {
  const distance = number("distance", 1, 1, 10, 0.1, "range");
  distance.oninput = () => (canvas.style.transform = `scale(${1 / distance.value})`);
  return distance.label;
}

const psnr = (x, y) => -10 * Math.log10(mix(1, x, -1, y).reduce((sum, d) => sum + d * d, 0) / x.length);

// B1: a digit that the reader draws or takes, noise, and the network's one step.
async function oneStep(box, task, say) {
  const sketch = new Sketch("x, draw here", 28, 1, 1);
  const noisy = new Screen("z", 28, 1), denoised = new Screen("estimate", 28, 1);
  const fields = { test: choice("test digit", DIGITS), sigma: number("σ", 0.5, 0, 1, 0.05, "range"), seed: seedField(7) };
  let newest = 0, last;
  async function update() {
    const mine = ++newest;
    await last; // a drawing that is newer when that is done takes this one's place
    if (mine === newest && controls.reportValidity()) last = denoise().catch((error) => say(error.message));
    return last;
  }
  async function denoise() {
    const x = sketch.x.slice(), { sigma, seed } = read(fields);
    const z = mix(1, x, sigma, unitNoise(784, new Generator(seed))); // (B1.1)
    const clean = await estimate(z);
    noisy.show(z, `z, ${psnr(z, x).toFixed(1)} dB`);
    denoised.show(clean, `estimate, ${psnr(clean, x).toFixed(1)} dB`);
    say(`σ = ${sigma}${sigma === 0.5 ? ", the only one that the network was trained with" : ""}`);
  }
  function take(which) {
    fields.test.selectedIndex = DIGITS.indexOf(which);
    if (which !== "none") fields.seed.value = which; // as in the chapter
    sketch.put(which === "none" ? new Float32Array(784) : digit(which));
    return update();
  }
  fields.test.onchange = () => take(fields.test.read());
  sketch.changed = fields.sigma.oninput = fields.seed.onchange = update;
  const controls = form(fields, update, button("Clear", () => take("none")));
  box.append(controls, screens(sketch, noisy, denoised));
  await take(7);
}

// Called by start.js when the reader wants a box to run.
export async function open(box) {
  const start = box.querySelector("button"), status = box.querySelector("[role=status]");
  const say = (text) => (status.textContent = text);
  start.disabled = true;
  try {
    await load(box.dataset.files.split(" "), say);
    say("");
    const task = box.dataset.live, opened = element("div");
    start.parentElement.replaceWith(opened);
    await (task === "b1" ? oneStep : sampler)(opened, task, say);
  } catch (error) {
    say(error.message);
    start.disabled = false;
  }
}
