// The networks as denoisers, and the steps of what a page asks for.
import { guided, VIEWS } from "./denoisers.mjs";
import { about, file, halves } from "./files.mjs";
import { generate, hybridImage, inpaint, sdedit, visualAnagram } from "./sampling.mjs";
import { Schedule, spacedTimesteps, stridedTimesteps } from "./schedule.mjs";
import { tokenize } from "./tokenizer.mjs";

// The runtime that uses the graphics card needs what not every browser has.
const adapter = await navigator.gpu?.requestAdapter();
const card = "Suspending" in WebAssembly && adapter?.info.isFallbackAdapter === false;
const script = card ? "./ort.jspi.mjs" : "./ort.mjs";
export const runtime = card ? "ort.jspi.wasm.gz" : "ort.wasm.gz";

const worker = new Worker(new URL("worker.mjs", import.meta.url), { type: "module" });
const waiting = []; // for the worker, which answers in turn
worker.onmessage = ({ data }) => waiting.shift()(data);
const broken = new Promise((resolve) => (worker.onerror = () =>
  resolve({ error: "The connection is lost, or this browser is too old; load the page again." })));
const given = new Set(); // the files that the worker has
export let where; // the last call of a network was computed
const TOKENS = 12, WIDTH = 384; // of a prompt, and of a token

// The bytes of a file for the worker, unless it has them
function once(name) {
  if (given.has(name)) return undefined;
  given.add(name);
  return file(name);
}

// A network's outputs for its inputs, {name: its numbers} both
async function run(name, inputs) {
  const binary = once(runtime), network = once(`${name}.onnx`);
  worker.postMessage({ name, inputs, network, runtime: binary && { script, binary, card } });
  const answered = new Promise((resolve) => waiting.push(resolve));
  const answer = await Promise.race([answered, broken]);
  if (answer.error) throw new Error(answer.error);
  where = answer.where;
  return answer.found;
}

export const picture = (name) =>
  halves("pictures.bin", 12288 * about.pictures.indexOf(name), 12288);
export const digit = (i) =>
  Float32Array.from(file("digits.bin").subarray(i * 784, (i + 1) * 784), (level) => level / 255);

// B1's network: a noisy digit -> its estimate of the clean one
export const estimate = async (z) => (await run("b1", { x: z })).out;

// The steps of B2's and B3's networks; "none" is no digit.
export function digitSteps({ task, digit, gamma, steps, seed }) {
  const schedule = new Schedule(about.schedules.mnist);
  const towards = (digit) => async (x, t) => {
    const c = Array.from({ length: 10 }, (_, i) => i === digit);
    return (await run(task, { x, t: [t / schedule.T], c })).out;
  };
  const denoise = digit >= 0 ? guided(towards(digit), towards("none"), gamma) : towards("none");
  return generate(denoise, 784, spacedTimesteps(schedule.T, steps), schedule, seed);
}

const timestepsOf = (steps) => stridedTimesteps(990, 990 / steps);

// Which of them begins to merge a hybrid's mixture
const merge = (steps) => timestepsOf(steps).findIndex((t) => t <= 210);

// How many steps a page's fields ask for
export const count = ({ task, steps, iStart = 0, times = 1 }) =>
  task === "hybrid" ? 3 * steps - merge(steps) : (steps - iStart - 1) * times + 1;

// The steps of Emoji-64
export async function pictureSteps(
  { task, prompts, gamma, steps, seed, image, mask, iStart, times, view, sigma },
) {
  const schedule = new Schedule(about.schedules.emoji64);
  const timesteps = timestepsOf(steps);
  const towards = (condition) => async (x, t) => {
    const { out } = await run("emoji64", { x, t: [t], ...condition });
    return schedule.noiseFromVelocity(x, t, out);
  };
  const [none, ...each] = (await Promise.all(["", ...prompts].map(condition))).map(towards);
  const guide = guided(each[0], none, gamma);
  const settings = [12288, timesteps, schedule, seed];
  const drawn = (denoise) => generate(denoise, ...settings);
  return {
    generate: () => drawn(guide),
    sdedit: () => sdedit(guide, image, iStart, timesteps, schedule, seed),
    inpaint: () => inpaint(guide, image, mask, times, timesteps, schedule, seed),
    anagram: () => drawn(visualAnagram(each, none, VIEWS[view], gamma)),
    hybrid: () => hybridImage(each, none, sigma, gamma, merge(steps), ...settings),
  }[task]();
}

// Capitals and space around it make no difference to the encoder.
const plain = (prompt) => prompt.trim().toLowerCase();

export const isPrepared = (prompt) => about.prompts.includes(plain(prompt));

// A name of a thing with its article, any other prompt as it is
export const named = (prompt) =>
  ["", "a ", "an "].map((article) => article + prompt.trim()).find(isPrepared) ?? prompt;

const tokenized = (prompt) => tokenize(prompt, new TextDecoder().decode(file("vocabulary.txt")));

// Whether the encoder leaves out the end of a prompt
export const isTooLong = (prompt) => !isPrepared(prompt) && tokenized(prompt).length > TOKENS;

const condition = (prompt) => (isPrepared(prompt) ? prepared : encoded)(prompt);

// The condition of a prompt as it ships; a token that is not there is all zeros.
function prepared(prompt) {
  const start = (TOKENS + 1) * WIDTH * about.prompts.indexOf(plain(prompt));
  const tokens = halves("prompts.bin", start, TOKENS * WIDTH);
  const mask = Array.from({ length: TOKENS }, (_, i) => tokens[i * WIDTH] !== 0);
  return { tokens, mask, pooled: halves("prompts.bin", start + TOKENS * WIDTH, WIDTH) };
}

// The condition of any other prompt, from the text encoder
async function encoded(prompt) {
  const all = tokenized(prompt), mask = Array.from({ length: TOKENS }, (_, i) => i < all.length);
  const ids = mask.map((_, i) => all[i] ?? 0);
  if (all.length > TOKENS) ids[TOKENS - 1] = all.at(-1); // the end mark stays
  return { ...await run("text", { ids, mask }), mask };
}
