// The live pages: a box of a chapter becomes a form with pictures once its reader asks for it.
import * as html from "./controls.mjs";
import { VIEWS } from "./denoisers.mjs";
import { about, isFetched, load, MB, size } from "./files.mjs";
import * as models from "./models.mjs";
import { Generator, unitNoise } from "./noise.mjs";
import { drawOn, fill, painted, show, showFile, values } from "./pictures.mjs";
import { Player } from "./player.mjs";
import { mix } from "./schedule.mjs";

const { button, choice, number, prompt, screen } = html;
const DIGITS = ["none", ...Array(10).keys()];
const STEPS = [11, 22, 33, 66, 99]; // each from t = 990 to 0
const WHITE = "a white page";

const seed = (value) => number("seed", "seed", value, 0, 2 ** 32 - 1);
const gamma = (value) => number("gamma", "γ", value, 0, 20, "any");
const digits = number("steps", "steps", 100, 1, 300) + seed(7);
const emoji64 = gamma(7) + choice("steps", "steps", STEPS, 33) + seed(0);
const given = () => choice("picture", "picture", [...about.pictures, WHITE], "sailboat") + html.file;

// The form of a run: its fields, and what else there is of buttons, pictures and below them
const run = (side, fields, { buttons = "", sketch = "", below = "" } = {}) => html.form(
  fields,
  `<button>Start</button>` + button("go", "Stop") + button("back", "Back")
    + button("forward", "Step") + buttons,
  sketch + screen("x, the picture on its way", side)
    + screen("x̂₀, the clean picture that the network sees in it", side),
  number("step", "step", 0, 0, 0, 1, "range") + below,
);

// {task: its form}
const FORMS = {
  b1: () => html.form(
    choice("digit", "test digit", DIGITS) + number("sigma", "σ", 0.5, 0, 1, 0.05, "range") + seed(7),
    button("clear", "Clear"),
    html.sketch("x, draw here", 28) + screen("z", 28) + screen("estimate", 28),
  ),
  b2: () => run(28, digits),
  b3: () => run(28, choice("digit", "digit", DIGITS, 7) + gamma(3) + digits),
  generate: () => run(64, prompt("prompt", "prompt", "a mushroom") + emoji64),
  sdedit: () => run(
    64,
    prompt("prompt", "prompt", "a mushroom") + emoji64
      + number("iStart", "start at step", 10, 0, 98) + given() + html.colour,
    { sketch: html.sketch("draw here", 64) },
  ),
  inpaint: () => run(
    64,
    prompt("prompt", "prompt", "a butterfly") + emoji64
      + number("times", "times that each step is taken", 1, 1, 10) + given(),
    {
      sketch: html.mask("paint what is to be replaced", 64),
      buttons: button("clear", "Clear the hole"),
    },
  ),
  anagram: () => run(
    64,
    prompt("prompt", "as it is", "a light bulb") + prompt("second", "turned", "a pear") + emoji64
      + choice("view", "view", Object.keys(VIEWS)),
    { below: button("turn", "Turn the picture") },
  ),
  hybrid: () => run(
    64,
    prompt("prompt", "from afar", "a dog face") + prompt("second", "from close by", "a tiger face")
      + emoji64 + number("sigma", "σ of the blur", 3, 0.5, 8, "any"),
    { below: number("distance", "distance", 1, 1, 10, 0.1, "range") },
  ),
};

// All but B1
function sampler(form, task, say) {
  const player = new Player(form), canvas = player.figures[0].querySelector("canvas");
  const { picture, turn, view, distance } = form.elements;
  const sketched = picture ? pictureSketch(form, say) : () => ({});
  if (turn) turn.onclick = canvas.onclick = () =>
    (canvas.dataset.view = canvas.dataset.view ? "" : view.value);
  if (distance) distance.oninput = () =>
    (canvas.style.transform = `scale(${1 / distance.value})`);
  form.onsubmit = async (event) => { // the browser has checked the fields
    event.preventDefault();
    player.until = 0;
    say("Starting ...");
    try {
      const asked = { task, ...sketched(), ...html.read(form) };
      const { prompt, second, steps, iStart = 0, times = 1 } = asked;
      asked.prompts = [prompt, second].filter(Boolean);
      const cut = await understood(asked.prompts, say);
      const computed = await (prompt ? models.pictureSteps : models.digitSteps)(asked);
      await player.begin(computed, (steps - iStart - 1) * times + 1, (text) => say(text + cut));
    } catch (error) {
      say(error.message);
    }
  };
}

// Texts whose conditions do not ship need the text encoder -> a sentence, where it leaves out an end
async function understood(prompts, say) {
  const other = prompts.find((text) => !models.isPrepared(text));
  if (!other) return "";
  const encoder = ["text.onnx", "vocabulary.txt"], question =
    `“${other}” is none of the prompts that are prepared; any other text needs the text encoder`;
  if (!isFetched(encoder) && !confirm(`${question}. Fetch it, ${MB(size(encoder))}?`))
    throw new Error(`${question}.`);
  await load(encoder, say);
  const long = prompts.find(models.isTooLong);
  return long ? ` “${long}” is longer than the model reads; its end is left out.` : "";
}

// The picture of image to image and of inpainting: one that ships, a white page, or the reader's own
function pictureSketch(form, say) {
  const { picture, own, colour, clear } = form.elements, figure = form.querySelector("figure");
  const canvas = figure.querySelector("canvas"), ink = colour ? colour.value : "magenta";
  const pen = drawOn(figure, 6, ink), side = canvas.width;
  function clearHole(hole = [0, 0, 0, 0]) {
    if (!clear) return;
    pen.clearRect(0, 0, side, side);
    fill(pen.canvas, ink, hole);
  }
  picture.onchange = () => {
    if (picture.value === WHITE) fill(canvas, "white");
    else show(figure, models.picture(picture.value));
    clearHole(about.holes[picture.value]);
  };
  own.onchange = () => showFile(canvas, own.files[0]).then(() => clearHole())
    .catch((error) => say(error.message));
  if (colour) colour.oninput = () => (pen.strokeStyle = colour.value);
  if (clear) clear.onclick = () => clearHole();
  picture.onchange();
  return () => ({ image: values(canvas, 3), mask: painted(pen.canvas) });
}

const psnr = (x, y) =>
  -10 * Math.log10(mix(1, x, -1, y).reduce((sum, d) => sum + d * d, 0) / x.length);

// B1: a digit that the reader draws or takes, noise, and the network's one step
function oneStep(form, task, say) {
  const [drawn, noisy, denoised] = form.querySelectorAll("figure"), { elements } = form;
  const { canvas } = drawOn(drawn, 2, "white");
  let newest, last;
  async function update() {
    const mine = newest = {};
    await last; // what the reader does meanwhile takes this one's place
    if (mine === newest && form.reportValidity())
      last = denoise().catch((error) => say(error.message));
    return last;
  }
  async function denoise() {
    const x = values(canvas, 1), { sigma, seed } = html.read(form);
    const z = mix(1, x, sigma, unitNoise(784, new Generator(seed))); // (B1.1)
    const clean = await models.estimate(z);
    show(noisy, z, `z, ${psnr(z, x).toFixed(1)} dB`);
    show(denoised, clean, `estimate, ${psnr(clean, x).toFixed(1)} dB`);
    say(`σ = ${sigma}${sigma === 0.5 ? ", the only one that the network was trained with" : ""}`);
  }
  function take(which) {
    elements.digit.value = which;
    if (which !== "none") elements.seed.value = which; // as in the chapter
    show(drawn, which === "none" ? new Float32Array(784) : models.digit(Number(which)));
    return update();
  }
  elements.digit.onchange = () => take(elements.digit.value);
  elements.clear.onclick = () => take("none");
  form.onchange = elements.sigma.oninput = update;
  form.onsubmit = (event) => event.preventDefault();
  return take("7");
}

// Called by start.js when the reader wants a box to run.
export async function open(box, say) {
  const start = box.querySelector("button"), { live: task, files } = box.dataset;
  start.disabled = true;
  try {
    await load(files.split(" "), say);
    say("");
    if (!document.getElementById("live-prompts"))
      document.body.insertAdjacentHTML("beforeend", `<datalist id="live-prompts">${
        Object.keys(about.prompts).map((prompt) => `<option>${prompt}</option>`).join("")}</datalist>`);
    const opened = document.createElement("div");
    start.parentElement.replaceWith(opened);
    opened.innerHTML = FORMS[task]();
    await (task === "b1" ? oneStep : sampler)(opened.firstElementChild, task, say);
  } catch (error) {
    say(error.message);
    start.disabled = false;
  }
}
