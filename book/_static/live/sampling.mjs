// diffusion_utils.sampling and tasks: where you start, how you denoise, what you enforce.
import { averaged, bands, blended, guided, viewed } from "./denoisers.mjs";
import { Generator, unitNoise } from "./noise.mjs";
import { mix } from "./schedule.mjs";

// Denoise x along timesteps; yields {t, x, x0Hat} after each step.
async function* trajectory(denoise, x, timesteps, schedule, generator, constrain = (x) => x) {
  for (let i = 0; i + 1 < timesteps.length; i++) {
    const t = timesteps[i], tPrev = timesteps[i + 1];
    if (tPrev > t) {
      x = schedule.forward(x, tPrev, unitNoise(x.length, generator), t);
      continue;
    }
    const x0Hat = schedule.predictX0(x, t, await denoise(x, t));
    const z = unitNoise(x.length, generator);
    x = constrain(schedule.step(x, x0Hat, t, tPrev, z), tPrev);
    yield { t: tPrev, x, x0Hat };
  }
}

// Timesteps that take each step but the last so many times, noising again in between
export function resampled(timesteps, times) {
  const inner = timesteps.slice(1, -1).flatMap((t, i) =>
    [t, ...Array(times - 1).fill([timesteps[i], t]).flat()]);
  return [timesteps[0], ...inner, timesteps.at(-1)];
}

// The constraint of inpainting: new content where mask is 1, the noised image where it is 0
function keepOutside(mask, image, schedule, generator) {
  return (x, t) => {
    const noised = schedule.forward(image, t, unitNoise(image.length, generator));
    return x.map((value, i) => (mask[i % mask.length] ? value : noised[i])); // (A.1)
  };
}

// Each task gives the steps of a trajectory. A picture's size is the number of its values.

export function generate(denoise, size, timesteps, schedule, seed) {
  const generator = new Generator(seed);
  return trajectory(denoise, unitNoise(size, generator), timesteps, schedule, generator);
}

export function sdedit(denoise, image, iStart, timesteps, schedule, seed) {
  if (iStart > timesteps.length - 2)
    throw new RangeError(`The start must be a whole number in 0 .. ${timesteps.length - 2}.`);
  const generator = new Generator(seed);
  const xt = schedule.forward(image, timesteps[iStart], unitNoise(image.length, generator));
  return trajectory(denoise, xt, timesteps.slice(iStart), schedule, generator);
}

export function inpaint(denoise, image, mask, times, timesteps, schedule, seed) {
  if (!mask.includes(1)) throw new RangeError("Paint what is to be replaced first.");
  const generator = new Generator(seed);
  const xT = unitNoise(image.length, generator);
  const constrain = keepOutside(mask, image, schedule, generator);
  return trajectory(denoise, xT, resampled(timesteps, times), schedule, generator, constrain);
}

// The denoiser of a picture that shows the first prompt as it is, the second in a view
export function visualAnagram([first, second], unconditional, view, gamma) {
  const turned = viewed(guided(second, unconditional, gamma), view);
  return averaged(guided(first, unconditional, gamma), turned);
}

// Each prompt drawn alone, then their mixture, merged from timesteps[iStart] on: the first prompt is
// what it shows from afar, the second from close by
export async function* hybridImage(
  conditionals, unconditional, sigma, gamma, iStart, size, timesteps, schedule, seed,
) {
  const alone = [];
  for (const conditional of conditionals) {
    const denoise = guided(conditional, unconditional, gamma);
    let step;
    for await (step of generate(denoise, size, timesteps, schedule, seed)) yield step;
    alone.push(step.x);
  }
  const [coarse, fine] = bands(sigma).map((band, i) => band(alone[i]));
  const mixture = mix(1, coarse, 1, fine).map((value) => Math.min(1, Math.max(-1, value)));
  const both = guided(blended(conditionals, bands(sigma)), unconditional, gamma);
  yield* sdedit(both, mixture, iStart, timesteps, schedule, seed);
}
