// The live pages: a box of a chapter becomes a form with pictures once its reader asks for it.
import { about, load, MB, missing } from "./files.mjs";
import * as models from "./models.mjs";
import { Generator, unitNoise } from "./noise.mjs";
import { channelOf, drawOn, fill, show, showFile, values } from "./pictures.mjs";
import { Player } from "./player.mjs";
import { mix } from "./schedule.mjs";

// What the fields of a form hold, {name: a text, or a number}
const read = (form) => Object.fromEntries([...new FormData(form)].map(([name, value]) =>
  [name, form.elements[name].type === "text" || isNaN(value) ? value : Number(value)]));

// All but B1 -> what Start does
function sampler(form, task, say) {
  const player = new Player(form);
  const canvases = player.figures.map((figure) => figure.querySelector("canvas"));
  const { picture, prompt, second, steps, iStart, turn, view, distance } = form.elements;
  const sketched = picture ? pictureSketch(form, say) : () => ({});
  const look = (view) => canvases.forEach((canvas) => (canvas.dataset.view = view));
  if (turn) turn.onclick = canvases[0].onclick = () =>
    look(canvases[0].dataset.view ? "" : view.value);
  if (distance) distance.oninput = () =>
    (canvases[0].style.transform = `scale(${1 / distance.value})`);
  if (iStart) steps.onchange = () => { // the same share of the steps, begun later or earlier
    iStart.value = Math.round((iStart.value * (steps.value - 1)) / iStart.max);
    iStart.max = steps.value - 1;
  };
  return async () => { // the browser has checked the fields
    player.until = 0;
    look(""); // as it is
    say("Starting ...");
    const prompts = [prompt, second].filter(Boolean);
    for (const field of prompts) field.value = models.named(field.value);
    const asked = { task, prompts: prompts.map(({ value }) => value), ...sketched(), ...read(form) };
    const cut = await understood(asked.prompts, say);
    const computed = await (prompt ? models.pictureSteps : models.digitSteps)(asked);
    const more = () => ` Computed by the ${models.where}.${cut}`;
    await player.begin(computed, models.count(asked), say, more);
  };
}

// Other prompts than those that ship need the text encoder -> a sentence if it leaves out an end
async function understood(prompts, say) {
  const other = prompts.find((text) => !models.isPrepared(text));
  if (!other) return "";
  const encoder = ["text.onnx", "vocabulary.txt"];
  const question = `“${other}” is none of the prompts that are prepared;`
    + " any other text needs the text encoder";
  if (missing(encoder) && !confirm(`${question}. Fetch it, ${MB(missing(encoder))}?`))
    throw new Error(`${question}.`);
  await load(encoder, say);
  const long = prompts.find(models.isTooLong);
  return long ? ` “${long}” is longer than the model reads; its end is left out.` : "";
}

// The picture of image to image and of inpainting, one that ships, white, or the reader's own, and
// over it what the reader draws: of one it becomes a part, of the other it is the hole.
function pictureSketch(form, say) {
  const { picture, own, colour, clear } = form.elements, figure = form.querySelector("figure");
  const canvas = figure.querySelector("canvas"), ink = colour ? colour.value : "magenta";
  const pen = drawOn(figure, 6, ink);
  const wipe = () => pen.clearRect(0, 0, canvas.width, canvas.width);
  picture.onchange = () => {
    const { value: name } = picture, hole = about.holes[name];
    if (about.pictures.includes(name)) show(figure, models.picture(name));
    else fill(canvas, "white");
    wipe();
    if (hole && !colour) fill(pen.canvas, ink, hole);
    own.value = "";
  };
  own.onchange = () => own.files[0] && showFile(canvas, own.files[0]).then(() => {
    wipe();
    picture.value = ""; // so that any of them can be chosen again
  }).catch((error) => say(error.message));
  clear.onclick = wipe;
  if (colour) colour.oninput = () => (pen.strokeStyle = colour.value);
  picture.onchange();
  return () => {
    const both = new OffscreenCanvas(canvas.width, canvas.width), context = both.getContext("2d");
    context.drawImage(canvas, 0, 0);
    if (colour) context.drawImage(pen.canvas, 0, 0);
    return { image: values(both), mask: channelOf(pen.canvas, 3).map(Math.round) };
  };
}

const psnr = (x, y) =>
  -10 * Math.log10(mix(1, x, -1, y).reduce((sum, d) => sum + d * d, 0) / x.length);

// B1: a digit that the reader draws or takes, noise, and the network's one step -> what Enter does
function oneStep(form, task, say) {
  const [drawn, noisy, denoised] = form.querySelectorAll("figure"), { elements } = form;
  const { canvas } = drawOn(drawn, 2, "white");
  let newest, last = Promise.resolve();
  function update() {
    const mine = newest = {}; // while it waits, what the reader does next takes its place
    last = last.then(() => mine === newest && form.reportValidity() && denoise())
      .catch((error) => say(error.message));
    return last;
  }
  async function denoise() {
    const x = channelOf(canvas, 0), { sigma, seed } = read(form);
    const z = mix(1, x, sigma, unitNoise(784, new Generator(seed))); // (B1.1)
    const clean = await models.estimate(z);
    show(noisy, z, `z, PSNR ${psnr(z, x).toFixed(1)} dB`);
    show(denoised, clean, `estimate, PSNR ${psnr(clean, x).toFixed(1)} dB`);
    const trained = sigma === 0.5 ? ", the only one that the network was trained with" : "";
    say(`σ = ${sigma}${trained}. Computed by the ${models.where}.`);
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
  say("Starting ...");
  take("7");
  return update;
}

// What a field for a prompt suggests
function suggest(prompts) {
  if (document.getElementById("live-prompts")) return;
  const list = Object.assign(document.createElement("datalist"), { id: "live-prompts" });
  list.append(...prompts.map((prompt) => new Option(prompt)));
  document.body.append(list);
}

// The buttons of other boxes, whose files may be there now
function fetched() {
  for (const { dataset, firstElementChild } of document.querySelectorAll(".live")) {
    const button = firstElementChild.querySelector("button");
    if (button?.textContent.startsWith("Run it") && !missing(dataset.files.split(" ")))
      button.textContent = "Run it here";
  }
}

// Called by start.js when the reader wants a box to run.
export async function open(box, say) {
  const start = box.querySelector("button"), { live: task, files } = box.dataset;
  start.disabled = true;
  try {
    await load([models.runtime, ...files.split(" ")], say);
    suggest(about.prompts.filter(Boolean));
    say(task === "b1" ? "" : "Press Start.");
    fetched();
    start.parentElement.replaceWith(box.querySelector("template").content);
    const form = box.querySelector("form");
    const submit = (task === "b1" ? oneStep : sampler)(form, task, say);
    form.onsubmit = (event) => {
      event.preventDefault();
      submit().catch((error) => say(error.message));
    };
  } catch (error) {
    say(error.message);
    start.disabled = false;
  }
}
