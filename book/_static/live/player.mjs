// A run of the sampler on a page: one step after the other is asked for, and any of them is shown.
import { show } from "./pictures.mjs";

const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Player {
  steps = []; // those that have been computed
  total = 0; // that the run has
  at = -1; // the one that is shown

  constructor(form) {
    this.controls = form.elements;
    this.figures = [...form.querySelectorAll("figure")].slice(-2);
    const { go, back, forward, step } = this.controls;
    go.onclick = () => (this.playing ? (this.until = 0) : this.play(this.total));
    back.onclick = () => this.look(this.at - 1);
    forward.onclick = () => this.at + 1 < this.steps.length
      ? this.look(this.at + 1) : this.play(this.steps.length + 1);
    step.oninput = () => this.look(Math.min(step.valueAsNumber, this.steps.length - 1));
    this.update();
  }

  // Begin a run of so many steps; one that goes on is left. say: shows a sentence; more: what a step's
  // sentence ends with.
  begin(generator, total, say, more) {
    Object.assign(this, { generator, total, say, more, steps: [], at: -1 });
    return this.play(total);
  }

  // Compute steps until there are so many.
  async play(until) {
    const { steps, generator } = this;
    Object.assign(this, { until, playing: true });
    this.update();
    try {
      while (steps.length < this.until) {
        const begun = performance.now(), { value } = await generator.next();
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
    const { steps, total, until, playing, figures, more } = this, { t, x, x0Hat } = steps[place];
    if (!(calm.matches && playing && place + 1 < until)) {
      this.at = place;
      show(figures[0], x, place + 1 === total ? "x, the finished picture" : `x at t = ${t}`);
      show(figures[1], x0Hat, "x̂₀, the network's guess of the finished picture");
    }
    const end = place + 1 === total ? ", the last" : "";
    this.say(`Step ${place + 1} of ${total}${end}; ${this.milliseconds} ms a step.${more()}`);
    this.update();
  }

  update() {
    const { playing, steps, at, total, controls: { go, back, forward, step } } = this;
    go.textContent = playing || !total ? "Stop" : "Go on";
    go.disabled = !playing && steps.length === total;
    back.disabled = playing || at < 1;
    forward.disabled = playing || at + 1 >= total;
    Object.assign(step, { max: Math.max(0, total - 1), value: at });
    step.disabled = playing || steps.length < 2;
  }
}
