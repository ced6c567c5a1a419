// The networks as denoisers, and the steps of what a page asks for.
import { guided, VIEWS } from "./denoisers.mjs";
import { about, file, halves } from "./files.mjs";
import { run } from "./networks.mjs";
import { generate, hybrid, inpaint, sdedit, visualAnagram } from "./sampling.mjs";
import { Schedule, spacedTimesteps, stridedTimesteps } from "./schedule.mjs";
import { plainPrompt, Tokenizer } from "./tokenizer.mjs";

const TOKENS = 12, WIDTH = 384; // of a prompt, and of a token

export const picture = (name) => halves("pictures.bin", 12288 * about.pictures.indexOf(name), 12288);
export const digit = (i) => Float32Array.from(file("digits.bin").slice(i * 784, (i + 1) * 784), (v) => v / 255);

// B1's network: a noisy digit -> its estimate of the clean one
export const estimate = async (z) => (await run("b1", { x: z })).out;

// B2's or B3's network; "none" is no class.
function digitDenoiser(name, schedule, digit) {
  const c = Float32Array.from({ length: 10 }, (_, i) => Number(i === digit));
  return async (x, t) => (await run(name, { x, t: Float32Array.of(t / schedule.T), c })).out;
}

export const isPrepared = (prompt) => plainPrompt(prompt) in about.prompts;

// The condition of a prompt: as it ships, or from the text encoder.
async function condition(prompt) {
  if (!isPrepared(prompt)) return encoded(prompt);
  const key = plainPrompt(prompt), prompts = Object.keys(about.prompts), count = about.prompts[key];
  const before = prompts.slice(0, prompts.indexOf(key));
  const start = before.reduce((sum, other) => sum + about.prompts[other] + 1, 0) * WIDTH;
  const tokens = new Float32Array(TOKENS * WIDTH);
  tokens.set(halves("prompts.bin", start, count * WIDTH));
  return { tokens, mask: firstOnes(Uint8Array, count), pooled: halves("prompts.bin", start + count * WIDTH, WIDTH) };
}

const firstOnes = (Type, count) => Type.from({ length: TOKENS }, (_, i) => i < count);
const tokenized = (prompt) => new Tokenizer(new TextDecoder().decode(file("vocabulary.txt"))).encode(prompt);

async function encoded(prompt) {
  const all = tokenized(prompt);
  const kept = all.length > TOKENS ? [...all.slice(0, TOKENS - 1), all.at(-1)] : all;
  const ids = new Int32Array(TOKENS);
  ids.set(kept);
  const found = await run("text", { ids, mask: firstOnes(Int32Array, kept.length) });
  return { ...found, mask: firstOnes(Uint8Array, kept.length) };
}

// Whether the encoder leaves out the end of a prompt
export const isTooLong = (prompt) => !isPrepared(prompt) && tokenized(prompt).length > TOKENS;

async function promptDenoiser(prompt, schedule) {
  const words = await condition(prompt);
  return async (x, t) => {
    const { out: v } = await run("emoji64", { x, t: Float32Array.of(t), ...words });
    return schedule.noiseFromVelocity(x, t, v);
  };
}

// The steps of B2's and B3's networks
export function digitSteps({ task, digit, gamma, steps, seed }) {
  const schedule = new Schedule(about.schedules.mnist);
  const none = digitDenoiser(task, schedule, "none");
  const denoise = digit >= 0 ? guided(digitDenoiser(task, schedule, digit), none, gamma) : none;
  return generate(denoise, 784, spacedTimesteps(schedule.T, steps), schedule, seed);
}

// The steps of Emoji-64
export async function pictureSteps({ task, prompts, gamma, steps, seed, image, mask, iStart, times, view, sigma }) {
  const schedule = new Schedule(about.schedules.emoji64), timesteps = stridedTimesteps(990, 990 / steps);
  const [none, ...towards] = await Promise.all(["", ...prompts].map((prompt) => promptDenoiser(prompt, schedule)));
  const guide = guided(towards[0], none, gamma);
  const drawn = (denoise) => generate(denoise, 12288, timesteps, schedule, seed);
  return {
    generate: () => drawn(guide),
    sdedit: () => sdedit(guide, image, iStart, timesteps, schedule, seed),
    inpaint: () => inpaint(guide, image, mask, times, timesteps, schedule, seed),
    anagram: () => drawn(visualAnagram(towards, none, VIEWS[view], gamma)),
    hybrid: () => drawn(hybrid(towards, none, sigma, gamma)),
  }[task]();
}
