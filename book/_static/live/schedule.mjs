// diffusion_utils.schedule: how much noise, and everything that follows from it.
// A picture is a Float32Array, channel by channel and row by row.

const CLEAN = -1; // the timestep before 0: no noise is left

// a x + b y, pixel by pixel
export const mix = (a, x, b, y) => x.map((value, i) => a * value + b * y[i]);

export class Schedule {
  constructor(alphaBar) { // the book's own numbers
    this.T = alphaBar.length;
    this.at = (t) => (t === CLEAN ? 1 : alphaBar[t]);
  }

  // x of timestep `from`, a clean picture if there is none, with the noise of a later t
  forward(x, t, eps, from = CLEAN) {
    const alpha = this.at(t) / this.at(from);
    return mix(Math.sqrt(alpha), x, Math.sqrt(1 - alpha), eps); // (N.1), (N.7)
  }

  predictX0(xt, t, eps) {
    return mix(1 / Math.sqrt(this.at(t)), xt, -Math.sqrt(1 / this.at(t) - 1), eps); // (N.2)
  }

  noiseFromVelocity(xt, t, v) {
    return mix(Math.sqrt(this.at(t)), v, Math.sqrt(1 - this.at(t)), xt); // (E.5)
  }

  step(xt, x0Hat, t, tPrev, z) {
    const alphaBar = this.at(t), alphaBarPrev = this.at(tPrev);
    const alpha = alphaBar / alphaBarPrev, beta = 1 - alpha;
    const mean = mix(
      (Math.sqrt(alphaBarPrev) * beta) / (1 - alphaBar), x0Hat,
      (Math.sqrt(alpha) * (1 - alphaBarPrev)) / (1 - alphaBar), xt,
    ); // (N.3)
    const variance = ((1 - alphaBarPrev) / (1 - alphaBar)) * beta; // (N.4)
    return mix(1, mean, Math.sqrt(variance), z);
  }
}

// Every stride-th timestep from start down to 0
export const stridedTimesteps = (start, stride) =>
  Array.from({ length: start / stride + 1 }, (_, i) => start - i * stride);

// T-1 .. 0 in so many steps, then CLEAN; halves are rounded to even, as torch does
export function spacedTimesteps(T, steps) {
  const even = (t) => (t % 1 === 0.5 ? 2 * Math.round(t / 2) : Math.round(t));
  const gaps = Math.max(1, steps - 1);
  const spaced = Array.from({ length: steps }, (_, i) => even(T - 1 - (i * (T - 1)) / gaps));
  return [...spaced, CLEAN];
}
