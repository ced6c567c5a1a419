// The live pages: a box of a chapter becomes controls and pictures once its reader asks for it.
import { choice, element, number, prompt, read, Screen, Sketch, values } from "./controls.mjs";
import { MB } from "./files.mjs";
import { Generator, unitNoise } from "./noise.mjs";
import { Player } from "./player.mjs";
import { mix } from "./schedule.mjs";
import { plainPrompt } from "./tokenizer.mjs";

const worker = new Worker(new URL("worker.mjs", import.meta.url), { type: "module" });
const waiting = new Map(); // {id: what to do with the answer}
let asked = 0;

// Ask the worker; a function at the end is told of bytes that arrive, (got, all).
function ask(call, ...args) {
  const progress = typeof args.at(-1) === "function" ? args.pop() : undefined;
  return new Promise((resolve, reject) => {
    waiting.set(++asked, { resolve, reject, progress });
    worker.postMessage({ id: asked, call, args });
  });
}

worker.onmessage = ({ data: { id, result, error, got, all } }) => {
  const { resolve, reject, progress } = waiting.get(id);
  if (got) return progress(got, all);
  waiting.delete(id);
  if (error) reject(new Error(error));
  else resolve(result);
};
worker.onerror = () => waiting.forEach(({ reject }) =>
  reject(new Error("This browser cannot run the network; a newer version of it can.")));

const form = (fields, ...buttons) => element("form", { onsubmit: (event) => event.preventDefault() },
  ...fields.map((field) => field.label), element("div", { className: "live-buttons" }, ...buttons));
const button = (text, onclick, type = "button") => element("button", { type, onclick }, text);
const screens = (...shown) => element("div", { className: "live-screens" }, ...shown.map(({ figure }) => figure));
const seedField = (seed) => number("seed", seed, 0, 2 ** 32 - 1);

const psnr = (x, y) => -10 * Math.log10(mix(1, x, -1, y).reduce((sum, d) => sum + d * d, 0) / x.length);

// B1: a digit that the reader draws or takes, noise, and the network's one step.
async function denoiser(box, { say }) {
  const sketch = new Sketch("x, draw here", 28, 1, 0, 1);
  const noisy = new Screen("z", 28, 1, 0), denoised = new Screen("estimate", 28, 1, 0);
  const fields = {
    digit: choice("test digit", ["none", ...Array(10).keys()]),
    sigma: number("σ", 0.5, 0, 1, 0.05, "range"),
    seed: seedField(7),
  };
  let busy = false, newer = false;
  async function update() {
    newer = true;
    if (busy) return; // the newest drawing is denoised when the one before is
    busy = true;
    while (newer) {
      newer = false;
      try {
        const { sigma, seed } = values(fields), x = sketch.x.slice();
        const z = mix(1, x, sigma, unitNoise(784, new Generator(seed))); // (B1.1)
        const estimate = await ask("estimate", z);
        noisy.show(z, `z, ${psnr(z, x).toFixed(1)} dB`);
        denoised.show(estimate, `estimate, ${psnr(estimate, x).toFixed(1)} dB`);
        say(`σ = ${sigma}${sigma === 0.5 ? ", the only one that the network was trained with" : ""}`);
      } catch (error) {
        say(error.message);
      }
    }
    busy = false;
  }
  async function take(digit) {
    sketch.x = digit < 0 ? new Float32Array(784) : await ask("digit", digit);
    fields.digit.value = digit + 1;
    if (digit >= 0) fields.seed.value = digit; // as in the chapter
    sketch.show();
    await update();
  }
  fields.digit.onchange = () => take(fields.digit.value - 1);
  sketch.changed = fields.sigma.oninput = fields.seed.onchange = update;
  box.append(form(Object.values(fields), button("Clear", () => take(-1))), screens(sketch, noisy, denoised));
  await take(7);
}

// Fields, buttons and pictures of a run; settings() says what to ask the sampler for.
function runner(box, { name, say }, side, channels, fields, settings, ...others) {
  const player = new Player(side, channels, say), run = ++asked;
  async function start() {
    say("Starting ...");
    try {
      const wanted = { task: name, ...await settings(values(fields)) };
      const { steps, iStart = 0, times = 1 } = wanted;
      player.stop();
      await ask("begin", run, wanted);
      await player.begin((steps - iStart - 1) * times + 1, () => ask("next", run));
    } catch (error) {
      say(error.message);
    }
  }
  const buttons = [button("Start", start, "submit"), ...player.buttons];
  box.append(form(Object.values(fields), ...buttons), screens(...others, player.x, player.x0Hat), player.slider.label);
  return player;
}

// B2 and B3: digits out of noise.
function digits(box, context) {
  const steps = number("steps", 100, 1, 300), seed = seedField(7), gamma = number("γ", 3, 0, 20, "any");
  const digit = choice("digit", ["none", ...Array(10).keys()], 8);
  const fields = context.name === "b3" ? { digit, gamma, steps, seed } : { steps, seed };
  const settings = ({ digit = 0, ...rest }) => ({ ...rest, digit: digit - 1 });
  runner(box, context, 28, 1, fields, settings);
}

const STEPS = [11, 22, 33, 66, 99]; // each from t = 990 to 0
const TURNED = { "upside down": "scaleY(-1)", "half turn": "rotate(180deg)", "quarter turn": "rotate(-90deg)" };
const PROMPTS = { // {task: {what a prompt is for: one to begin with}}
  generate: { prompt: "a mushroom" },
  sdedit: { prompt: "a mushroom" },
  inpaint: { prompt: "a butterfly" },
  anagram: { "as it is": "a pickup truck", turned: "a croissant" },
  hybrid: { "from afar": "a panda", "from close by": "a soccer ball" },
};

// Part A: Emoji-64.
async function emoji64(box, context) {
  const task = context.name, known = Object.keys(context.about.prompts).filter(Boolean);
  const prompts = Object.entries(PROMPTS[task]).map(([text, value]) => prompt(text, value, known));
  const fields = { ...prompts, gamma: number("γ", 7, 0, 20, "any"), steps: choice("steps", STEPS, 2), seed: seedField(0) };
  if (task === "sdedit") fields.iStart = number("start at step", 10, 0, 98);
  if (task === "inpaint") fields.times = number("times that each step is taken", 1, 1, 10);
  if (task === "anagram") fields.view = choice("view", [...Object.keys(TURNED), "negative"]);
  if (task === "hybrid") fields.sigma = number("σ of the blur", 2, 0.5, 8, "any");
  const sketch = task === "sdedit" || task === "inpaint" ? await pictureFields(box, context) : undefined;
  async function settings({ gamma, steps, seed, iStart, times, sigma, view }) {
    const texts = prompts.map(({ value }) => value);
    await encoderFor(texts, context);
    return { prompts: texts, gamma, seed, iStart, times, sigma, steps: STEPS[steps],
      view: fields.view?.selectedOptions[0].text, image: sketch?.x, mask: sketch?.mask };
  }
  const { x } = runner(box, context, 64, 3, fields, settings, ...(sketch ? [sketch] : []));
  if (task === "anagram") {
    const turn = () => {
      const style = x.canvas.style, view = fields.view.selectedOptions[0].text, turned = !(style.transform || style.filter);
      style.transform = turned ? TURNED[view] ?? "" : "";
      style.filter = turned && view === "negative" ? "invert(1)" : "";
    };
    x.canvas.onclick = turn;
    box.append(button("Turn the picture", turn));
  }
  if (task === "hybrid") {
    const size = number("distance", 1, 1, 10, 0.1, "range");
    size.oninput = () => (x.canvas.style.transform = `scale(${1 / size.value})`);
    box.append(size.label);
  }
}

// The picture of image to image and of inpainting: one that ships, a white page, or the reader's own.
async function pictureFields(box, { name, about, say }) {
  const sketch = new Sketch(name === "inpaint" ? "paint what is to be replaced" : "draw here", 64, 3, -1, 3);
  const picture = choice("picture", [...about.pictures, "a white page"]);
  const own = element("input", { type: "file", accept: "image/*" }), colour = element("input", { type: "color", value: "#d02020" });
  const shown = (x, hole) => {
    sketch.x = x;
    if (name === "inpaint") sketch.mask = filled(hole);
    sketch.show();
  };
  picture.onchange = async () => {
    const chosen = about.pictures[picture.value];
    shown(chosen ? await ask("picture", Number(picture.value)) : new Float32Array(12288).fill(1), about.holes[chosen]);
  };
  own.onchange = () => read(own.files[0]).then(shown).catch((error) => say(error.message));
  colour.oninput = () => {
    sketch.colour = [1, 3, 5].map((i) => parseInt(colour.value.slice(i, i + 2), 16) / 127.5 - 1);
  };
  colour.oninput();
  const label = (text, input) => element("label", {}, element("span", {}, text), input);
  const tools = name === "inpaint"
    ? button("Clear the hole", () => shown(sketch.x))
    : label("colour of the pen", colour);
  box.append(element("form", {}, picture.label, label("or open one", own), tools));
  picture.value = about.pictures.indexOf("sailboat");
  await picture.onchange();
  return sketch;
}

// A mask that is 1 in a rectangle.
function filled([left, top, right, bottom] = [0, 0, 0, 0], side = 64) {
  return Uint8Array.from({ length: side ** 2 }, (_, i) => {
    const column = i % side, row = Math.floor(i / side);
    return column >= left && column < right && row >= top && row < bottom;
  });
}

// Texts whose conditions do not ship need the text encoder, which the reader may not want to fetch.
async function encoderFor(texts, { about, say, note }) {
  const other = texts.find((text) => !(plainPrompt(text) in about.prompts));
  note();
  if (!other) return;
  const files = ["text.onnx", "vocabulary.txt"], size = files.reduce((sum, name) => sum + about.files[name].bytes, 0);
  if (!encoderFor.there) {
    const fetchIt = button(`Fetch the text encoder, ${MB(size)}`, async () => {
      fetchIt.disabled = true;
      try {
        await ask("load", files, fetching(say));
        encoderFor.there = true;
        note();
        say("The text encoder is there; press Start.");
      } catch (error) {
        say(error.message);
        fetchIt.disabled = false;
      }
    });
    note(fetchIt);
    throw new Error(`“${other}” is none of the ${Object.keys(about.prompts).length - 1} prompts that are prepared; any other text needs the text encoder.`);
  }
  const long = texts.find((text) => !(plainPrompt(text) in about.prompts) && text.length > 20);
  const left = long ? await ask("leftOut", long) : 0;
  if (left) note(`“${long}” is longer than the model reads: its end, ${left} piece${left > 1 ? "s" : ""} of words, is left out.`);
}

const fetching = (say) => (got, all) => say(`Fetched ${Math.floor(got / 1e6)} of ${MB(all)} ...`);
const WIDGETS = { b1: denoiser, b2: digits, b3: digits };

// Called by start.js when the reader wants a box to run.
export async function open(box) {
  const start = box.querySelector("button"), status = box.querySelector("[role=status]");
  const say = (text) => (status.textContent = text);
  start.disabled = true;
  try {
    const about = await ask("load", box.dataset.files.split(" "), fetching(say));
    say("Starting ...");
    const noted = element("p"), note = (...parts) => noted.replaceChildren(...parts);
    const show = async (name, into) => {
      await (WIDGETS[name] ?? emoji64)(into, { name, about, say, note });
    };
    const names = box.dataset.live === "emoji64" ? Object.keys(PROMPTS) : [box.dataset.live];
    start.parentElement.replaceWith(await tabs(names, show));
    status.before(noted);
    if (status.textContent.startsWith("Starting")) say("");
  } catch (error) {
    say(error.message);
    start.disabled = false;
  }
}

const TITLES = { generate: "Draw", sdedit: "Change a picture", inpaint: "Fill a hole", anagram: "Anagram", hybrid: "Hybrid" };

// One part for each name; where there are several, radio buttons choose the one that is shown.
async function tabs(names, show) {
  const parts = names.map((name, i) => element("div", { hidden: i > 0 }));
  for (const [i, name] of names.entries()) await show(name, parts[i]);
  if (names.length === 1) return parts[0];
  const group = `live-${++asked}`;
  const radios = names.map((name, i) => element("label", {},
    element("input", { type: "radio", name: group, checked: i === 0,
      onchange: () => parts.forEach((part, other) => (part.hidden = other !== i)) }), TITLES[name]));
  return element("div", {}, element("fieldset", { className: "live-tabs" }, element("legend", {}, "What to do"), ...radios), ...parts);
}
