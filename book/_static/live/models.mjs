// The networks, and the denoisers that they make.
import * as ort from "./ort.mjs";
import { guided, VIEWS } from "./denoisers.mjs";
import { fetchFile, fromHalf, readAbout, unpacked } from "./files.mjs";
import { generate, hybrid, inpaint, sdedit, visualAnagram } from "./sampling.mjs";
import { Schedule, spacedTimesteps, stridedTimesteps } from "./schedule.mjs";
import { plainPrompt, Tokenizer } from "./tokenizer.mjs";

const TOKENS = 12, WIDTH = 384; // of a prompt, and of a token
const loaded = new Map(); // {name of a file: what was made of it}
let about;

const made = {
  "ort.wasm.gz": async (bytes) => (ort.env.wasm.wasmBinary = await unpacked(bytes)),
  onnx: (bytes) => ort.InferenceSession.create(bytes),
  "prompts.bin": fromHalf,
  "pictures.bin": fromHalf,
  "digits.bin": (bytes) => Float32Array.from(bytes, (value) => value / 255),
  "vocabulary.txt": (bytes) => new Tokenizer(new TextDecoder().decode(bytes)),
};

// Fetch files unless they are there; progress(got, all) is told bytes.
export async function load(names, progress) {
  about ??= await readAbout();
  ort.env.wasm.numThreads = 1; // more need headers that a plain server does not send
  ort.env.logLevel = "error";
  const wanted = names.filter((name) => !loaded.has(name));
  const all = wanted.reduce((sum, name) => sum + about.files[name].bytes, 0);
  let before = 0;
  for (const name of wanted) {
    const bytes = await fetchFile(about.files[name], (got) => progress(before + got, all));
    loaded.set(name, await (made[name] ?? made[name.split(".").pop()])(bytes));
    before += about.files[name].bytes;
  }
  return about;
}

export const picture = (i) => loaded.get("pictures.bin").slice(i * 12288, (i + 1) * 12288);
export const digit = (i) => loaded.get("digits.bin").slice(i * 784, (i + 1) * 784);

const floats = (data, ...shape) => new ort.Tensor("float32", Float32Array.from(data), shape);

async function run(name, inputs) {
  return (await loaded.get(`${name}.onnx`).run(inputs)).out.data;
}

// B1's network: a noisy digit -> its estimate of the clean one
export const estimate = (z) => run("b1", { x: floats(z, 1, 1, 28, 28) });

// B2's or B3's network; a digit of -1 is no class.
function digitDenoiser(name, digit) {
  const oneHot = Array.from({ length: 10 }, (_, i) => Number(i === digit));
  const c = name === "b3" ? { c: floats(oneHot, 1, 10) } : {};
  return (x, t) => run(name, { x: floats(x, 1, 1, 28, 28), t: floats([t / about.schedules.mnist.length], 1), ...c });
}

// The condition of a prompt: as it ships, or from the text encoder.
async function condition(prompt) {
  const key = plainPrompt(prompt);
  if (!(key in about.prompts)) return encoded(prompt);
  const prompts = Object.keys(about.prompts), values = loaded.get("prompts.bin");
  const before = prompts.slice(0, prompts.indexOf(key));
  const start = before.reduce((sum, other) => sum + about.prompts[other] + 1, 0) * WIDTH;
  const end = start + about.prompts[key] * WIDTH;
  return prompted(values.slice(start, end), about.prompts[key], values.slice(end, end + WIDTH));
}

async function encoded(prompt) {
  const ids = loaded.get("vocabulary.txt").encode(prompt), end = ids.at(-1);
  const cut = ids.length > TOKENS ? [...ids.slice(0, TOKENS - 1), end] : ids;
  const padded = (values) => Int32Array.from({ length: TOKENS }, (_, i) => values[i] ?? 0);
  const ints = (values) => new ort.Tensor("int32", padded(values), [1, TOKENS]);
  const text = loaded.get("text.onnx");
  const { tokens, pooled } = await text.run({ ids: ints(cut), mask: ints(cut.map(() => 1)) });
  return prompted(tokens.data, cut.length, pooled.data);
}

function prompted(tokens, count, pooled) {
  const mask = Uint8Array.from({ length: TOKENS }, (_, i) => i < count);
  const padded = new Float32Array(TOKENS * WIDTH);
  padded.set(tokens);
  return {
    tokens: floats(padded, 1, TOKENS, WIDTH),
    mask: new ort.Tensor("bool", mask, [1, TOKENS]),
    pooled: floats(pooled, 1, WIDTH),
  };
}

// How many tokens the encoder leaves out of a prompt
export function leftOut(prompt) {
  const tokenizer = loaded.get("vocabulary.txt");
  return plainPrompt(prompt) in about.prompts || !tokenizer
    ? 0
    : Math.max(0, tokenizer.encode(prompt).length - TOKENS);
}

async function promptDenoiser(prompt) {
  const schedule = new Schedule(about.schedules.emoji64), parts = await condition(prompt);
  return async (x, t) => {
    const v = await run("emoji64", { x: floats(x, 1, 3, 64, 64), t: floats([t], 1), ...parts });
    return schedule.noiseFromVelocity(x, t, v);
  };
}

// The steps of what a page asks for.
export async function steps(asked) {
  const { task, gamma, seed, image } = asked;
  if (task === "b2" || task === "b3") {
    const schedule = new Schedule(about.schedules.mnist);
    const timesteps = spacedTimesteps(schedule.T, asked.steps);
    const none = digitDenoiser(task, -1);
    const denoise = asked.digit >= 0 ? guided(digitDenoiser(task, asked.digit), none, gamma) : none;
    return generate(denoise, 784, timesteps, schedule, seed);
  }
  const schedule = new Schedule(about.schedules.emoji64);
  const timesteps = stridedTimesteps(990, 990 / asked.steps);
  const unconditional = await promptDenoiser("");
  const conditionals = await Promise.all(asked.prompts.map(promptDenoiser));
  const denoise = {
    anagram: () => visualAnagram(conditionals, unconditional, VIEWS[asked.view], gamma),
    hybrid: () => hybrid(conditionals, unconditional, asked.sigma, gamma),
  }[task]?.() ?? guided(conditionals[0], unconditional, gamma);
  if (task === "sdedit") return sdedit(denoise, image, asked.iStart, timesteps, schedule, seed);
  if (task === "inpaint") return inpaint(denoise, image, asked.mask, asked.times, timesteps, schedule, seed);
  return generate(denoise, 12288, timesteps, schedule, seed);
}
