// diffusion_utils.denoisers and views: a denoiser is (x_t, t) -> eps, and so is a technique.
import { mix } from "./schedule.mjs";

// What becomes of two denoisers' estimates for one x_t
const combined = (one, other, combine) => async (xt, t) =>
  combine(await one(xt, t), await other(xt, t));

export const guided = (conditional, unconditional, gamma) =>
  gamma === 1 ? conditional // the other estimate would cancel
    : combined(conditional, unconditional, (epsC, epsU) =>
      epsU.map((u, i) => u + gamma * (epsC[i] - u))); // (N.6)

export const viewed = (denoise, view) => async (xt, t) =>
  view.invert(await denoise(view.apply(xt), t));

export const averaged = (one, other) =>
  combined(one, other, (eps1, eps2) => mix(0.5, eps1, 0.5, eps2)); // (A.2)

export const blended = ([one, other], [coarse, fine]) =>
  combined(one, other, (eps1, eps2) => mix(1, coarse(eps1), 1, fine(eps2))); // (A.3)

const SIDE = 64, last = SIDE - 1;

// The picture that has at (row, column) what x has at from(row, column)
const moved = (from) => (x) => x.map((_, i) => {
  const pixel = i % SIDE ** 2, [row, column] = from(Math.floor(pixel / SIDE), pixel % SIDE);
  return x[i - pixel + row * SIDE + column];
});

const view = (apply, invert = apply) => ({ apply, invert });
const quarter = moved((row, column) => [column, last - row]);

export const VIEWS = {
  "upside down": view(moved((row, column) => [last - row, column])),
  "quarter turn": view(quarter, (x) => quarter(quarter(quarter(x)))),
  "half turn": view((x) => quarter(quarter(x))),
  negative: view((x) => x.map((value) => -value)),
};

// A Gaussian blur of 33 pixels that mirrors the picture at its edges
function lowPass(sigma) {
  const weights = Array.from({ length: 33 }, (_, i) => Math.exp(-0.5 * ((i - 16) / sigma) ** 2));
  const total = weights.reduce((a, b) => a + b);
  const mirrored = (i) => last - Math.abs(last - Math.abs(i));
  const along = (x, stride) => x.map((_, place) => {
    const at = Math.floor(place / stride) % SIDE, line = place - at * stride;
    return weights.reduce((sum, weight, i) =>
      sum + weight * x[line + mirrored(at + i - 16) * stride], 0) / total;
  });
  return (x) => along(along(x, 1), SIDE);
}

// Filters that split a picture into a coarse and a fine band that add up to it
export function bands(sigma) {
  const blur = lowPass(sigma);
  return [blur, (x) => mix(1, x, -1, blur(x))];
}
