// diffusion_utils.denoisers and views: a denoiser is a function (x_t, t) -> eps, and so is a technique.
import { mix } from "./schedule.mjs";

export function guided(conditional, unconditional, gamma) {
  if (gamma === 1) return conditional; // the other estimate would cancel
  return async (xt, t) => {
    const [epsC, epsU] = await estimates([conditional, unconditional], xt, t);
    return epsU.map((u, i) => u + gamma * (epsC[i] - u)); // (N.6)
  };
}

// What several denoisers make of one x_t
const estimates = (denoisers, xt, t) => Promise.all(denoisers.map((denoise) => denoise(xt, t)));

export const viewed = (denoise, view) => async (xt, t) =>
  view.invert(await denoise(view.apply(xt), t));

export const averaged = (...denoisers) => async (xt, t) =>
  (await estimates(denoisers, xt, t)).reduce(added).map((sum) => sum / denoisers.length); // (A.2)

export const blended = (denoisers, bands) => async (xt, t) =>
  (await estimates(denoisers, xt, t)).map((eps, i) => bands[i](eps)).reduce(added); // (A.3)

const added = (x, y) => mix(1, x, 1, y);

const SIDE = 64;

// A view that moves pixels: from(row, column) is the place in x of what is seen there.
function moved(from) {
  const order = Array.from({ length: SIDE * SIDE }, (_, place) => {
    const [row, column] = from(Math.floor(place / SIDE), place % SIDE);
    return row * SIDE + column;
  });
  const channel = (i) => i - (i % order.length);
  return {
    apply: (x) => x.map((_, i) => x[channel(i) + order[i % order.length]]),
    invert(x) {
      const back = new Float32Array(x.length);
      x.forEach((value, i) => (back[channel(i) + order[i % order.length]] = value));
      return back;
    },
  };
}

const last = SIDE - 1;
export const VIEWS = {
  "upside down": moved((row, column) => [last - row, column]),
  "quarter turn": moved((row, column) => [column, last - row]),
  "half turn": moved((row, column) => [last - row, last - column]),
  negative: { apply: (x) => x.map((value) => -value), invert: (x) => x.map((value) => -value) },
};

// A Gaussian blur of 33 pixels that mirrors the picture at its edges.
export function lowPass(sigma, kernelSize = 33) {
  const half = (kernelSize - 1) / 2;
  const weights = Array.from({ length: kernelSize }, (_, i) => Math.exp(-0.5 * ((i - half) / sigma) ** 2));
  const total = weights.reduce((a, b) => a + b);
  const mirrored = (i) => (i < 0 ? -i : i > last ? 2 * last - i : i);
  const along = (x, stride) => x.map((_, place) => {
    const at = Math.floor(place / stride) % SIDE;
    return weights.reduce((sum, weight, i) =>
      sum + weight * x[place + (mirrored(at + i - half) - at) * stride], 0) / total;
  });
  return (x) => along(along(x, 1), SIDE);
}

// Filters that split a picture into a coarse and a fine band that add up to it.
export function bands(sigma) {
  const blur = lowPass(sigma);
  return [blur, (x) => mix(1, x, -1, blur(x))];
}
