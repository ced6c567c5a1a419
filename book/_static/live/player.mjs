// A run of the sampler on a page: it asks for one step after the other, and shows any of those it has.
import { button, number, Screen } from "./controls.mjs";

const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Player {
  steps = []; // those that have been computed
  at = -1; // the one that is shown
  go = button("Stop", () => (this.playing ? (this.until = 0) : this.play(this.total)));
  back = button("Back", () => this.look(this.at - 1));
  forward = button("Step", () =>
    this.at + 1 < this.steps.length ? this.look(this.at + 1) : this.play(this.steps.length + 1));
  slider = number("step", 0, 0, 0, 1, "range");

  constructor(side, channels) {
    this.x = new Screen("x, the picture on its way", side, channels);
    this.x0Hat = new Screen("x̂₀, the clean picture that the network sees in it", side, channels);
    this.slider.oninput = () => this.look(this.slider.valueAsNumber);
    this.update();
  }

  // Begin a run of so many steps; one that goes on is left. say: shows a sentence.
  begin(generator, total, say) {
    Object.assign(this, { generator, total, say, steps: [], at: -1 });
    return this.play(total);
  }

  // Compute steps until there are so many.
  async play(until) {
    const { steps } = this;
    Object.assign(this, { until, playing: true });
    this.update();
    try {
      while (steps.length < this.until) {
        const begun = performance.now(), { value } = await this.generator.next();
        if (steps !== this.steps) return; // another run has begun
        steps.push(value);
        this.milliseconds = Math.round(performance.now() - begun);
        this.look(steps.length - 1);
      }
    } catch (error) {
      this.say(error.message);
    }
    this.playing = false;
    this.update();
  }

  // Show a step; where motion is unwelcome, not those on the way.
  look(place) {
    const { steps, total, until, playing } = this, { t, x, x0Hat } = steps[place];
    if (!(calm.matches && playing && place + 1 < until)) {
      this.at = place;
      this.x.show(x, t < 0 ? "x, no noise left" : `x at t = ${t}`);
      this.x0Hat.show(x0Hat, "x̂₀, seen in the x before");
    }
    const end = place + 1 === total ? ", the last" : "";
    this.say(`Step ${place + 1} of ${total}${end}; ${this.milliseconds} ms a step.`);
    this.update();
  }

  update() {
    const { playing, steps, at, total } = this;
    this.go.textContent = playing || !total ? "Stop" : "Go on";
    this.go.disabled = !playing && (!total || steps.length === total);
    this.back.disabled = playing || at < 1;
    this.forward.disabled = playing || !total || at + 1 === total;
    Object.assign(this.slider, { max: Math.max(0, steps.length - 1), value: at, disabled: playing || steps.length < 2 });
  }
}
