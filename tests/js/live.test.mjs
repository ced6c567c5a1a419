// What the pages compute in the browser, beside what torch and the package compute: node --test tests/js
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const live = new URL("../../book/_static/live/", import.meta.url);
const { guided, VIEWS } = await import(new URL("denoisers.mjs", live));
const { Generator, unitNoise } = await import(new URL("noise.mjs", live));
const sampling = await import(new URL("sampling.mjs", live));
const { Schedule, spacedTimesteps, stridedTimesteps } = await import(new URL("schedule.mjs", live));
const { tokenize } = await import(new URL("tokenizer.mjs", live));

const vectors = JSON.parse(readFileSync(new URL("vectors.json", import.meta.url)));
const schedule = new Schedule(vectors.alpha_bar);

function assertClose(x, expected, tolerance) {
  const { first, last, sum } = expected;
  const close = (values, wanted) => wanted.forEach((value, i) =>
    assert.ok(Math.abs(values[i] - value) <= tolerance * Math.max(1, Math.abs(value)), `${values[i]} is not ${value}`));
  close(x, first);
  close(x.slice(-last.length), last);
  assert.ok(Math.abs(x.reduce((a, b) => a + b) - sum) <= tolerance * x.length);
}

for (const { seed, sizes, draws } of vectors.noise)
  test(`the noise of seed ${seed} is torch's`, () => {
    const generator = new Generator(seed);
    sizes.forEach((size, i) => assertClose(unitNoise(size, generator), draws[i], 1e-6));
  });

test("part of 16 numbers is refused", () => {
  for (const size of [15, 100]) assert.throws(() => unitNoise(size, new Generator(0)), /another way/);
});

test("timesteps are spaced as torch spaces them", () => {
  const spaced = [1, 4, 7, 100, 300].flatMap((steps) => spacedTimesteps(300, steps));
  assert.deepEqual(spaced, vectors.spaced);
  assert.deepEqual(stridedTimesteps(990, 330), [990, 660, 330, 0]);
});

test("a velocity becomes the noise", () => {
  const eps = schedule.noiseFromVelocity(Float32Array.of(0, 1, 2, 3), 500, Float32Array.of(1, 1, 1, 1));
  vectors.velocity.forEach((value, i) => assert.ok(Math.abs(eps[i] - value) < 1e-6));
});

test("the steps that resampling takes", () => {
  assert.deepEqual(sampling.resampled([9, 6, 3, 0], 2), [9, 6, 9, 6, 3, 6, 3, 0]);
  assert.deepEqual(sampling.resampled([9, 6, 3, 0], 1), [9, 6, 3, 0]);
});

test("each view undoes itself", () => {
  const x = unitNoise(3 * 64 * 64, new Generator(1));
  for (const view of Object.values(VIEWS)) {
    assert.deepEqual(view.invert(view.apply(x)), x);
    assert.notDeepEqual(view.apply(x), x);
  }
});

test("the form offers the views that there are", () => {
  const forms = readFileSync(new URL("../../_ext/forms.py", live), "utf8");
  const [, offered] = forms.match(/^VIEWS = (\[.*\])$/m);
  assert.deepEqual(JSON.parse(offered), Object.keys(VIEWS));
});

// The stand-in for a network that vectors.py has.
const towards = (value) => async (x, t) =>
  x.map((here, i) => Math.sin(here - value * x[i % 64 === 63 ? i - 63 : i + 1]));
const [one, two, none] = [towards(0.5), towards(-0.3), towards(0.1)];
const image = unitNoise(3 * 64 * 64, new Generator(5)).map((v) => Math.min(1, Math.max(-1, v)));
const mask = Uint8Array.from({ length: 64 * 64 }, (_, i) =>
  i >= 8 * 64 && i < 30 * 64 && i % 64 >= 20 && i % 64 < 50);
const timesteps = stridedTimesteps(990, 330);
const generate = (denoise) => sampling.generate(denoise, image.length, timesteps, schedule, 3);
const guide = guided(one, none, 3);
const anagram = (view) => generate(sampling.visualAnagram([one, two], none, VIEWS[view], 3));
const RUNS = {
  generate: () => generate(guide),
  anagram: () => anagram("quarter turn"),
  flip: () => anagram("upside down"),
  hybrid: () => sampling.hybridImage(
    [one, two], none, 2, 3, 1, image.length, timesteps, schedule, 3),
  inpaint: () => sampling.inpaint(guide, image, mask, 2, timesteps, schedule, 3),
  sdedit: () => sampling.sdedit(guide, image, 1, timesteps, schedule, 3),
};

async function end(steps) {
  let last;
  for await (last of steps);
  return last;
}

for (const [name, run] of Object.entries(RUNS))
  test(`${name} ends where the package's ends`, async () => {
    const { x, x0Hat } = await end(run());
    assertClose(x, vectors.runs[name], 2e-4);
    if (name === "sdedit") assertClose(x0Hat, vectors.runs.x0_hat, 2e-4);
  });

test("prompts become the tokenizer's ids", () => {
  const { vocab } = JSON.parse(
    readFileSync(new URL("../../models/emoji64/tokenizer/tokenizer.json", import.meta.url)),
  ).model;
  const vocabulary = Object.keys(vocab).sort((a, b) => vocab[a] - vocab[b]).join("\n");
  for (const [prompt, ids] of vectors.tokens)
    assert.deepEqual(tokenize(prompt, vocabulary), ids, prompt);
});
