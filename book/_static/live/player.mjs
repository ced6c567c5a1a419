// A run of the sampler on a page: it asks for one step after the other, and shows any of those it has.
import { element, number, Screen } from "./controls.mjs";

const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Player {
  // next: () -> a promise of {t, x, x0Hat}. say: shows a sentence.
  constructor(side, channels, say) {
    const low = channels === 1 ? 0 : -1;
    this.steps = [];
    this.say = say;
    this.x = new Screen("x, the picture on its way", side, channels, low);
    this.x0Hat = new Screen("x̂₀, the clean picture that the network sees in it", side, channels, low);
    const button = (text, onclick) => element("button", { type: "button", disabled: true, onclick }, text);
    this.go = button("Stop", () => (this.playing ? this.stop() : this.play()));
    this.back = button("Back", () => this.turnTo(this.at - 1));
    this.forward = button("Step", () => this.turnTo(this.at + 1));
    this.buttons = [this.go, this.back, this.forward];
    this.slider = number("step", 0, 0, 0, 1, "range");
    this.slider.disabled = true;
    this.slider.oninput = () => this.turnTo(Number(this.slider.value));
  }

  // Begin a run of so many steps; one that goes on is left.
  begin(total, next) {
    Object.assign(this, { total, next, steps: [], at: -1 });
    return this.play();
  }

  async play() {
    const steps = this.steps;
    this.playing = true;
    try {
      while (this.playing && steps === this.steps && steps.length < this.total) {
        await this.fetchStep();
        if (steps !== this.steps) return; // another run has begun
        if (!calm.matches || steps.length === this.total) await this.look(steps.length - 1);
        else this.say(`Step ${steps.length} of ${this.total}.`);
      }
    } catch (error) {
      this.say(error.message);
    }
    if (steps === this.steps) this.stop();
  }

  stop() {
    this.playing = false;
    if (this.steps.length) this.update();
  }

  async fetchStep() {
    const steps = this.steps, begun = performance.now(), step = await this.next();
    this.milliseconds = Math.round(performance.now() - begun);
    steps.push(step);
    this.update();
  }

  turnTo(place) {
    return this.look(place).catch((error) => this.say(error.message));
  }

  // Show a step; the one after the last known is computed.
  async look(place) {
    if (place === this.steps.length) await this.fetchStep();
    const { t, x, x0Hat } = this.steps[place];
    this.at = place;
    this.x.show(x, t < 0 ? "x, no noise left" : `x at t = ${t}`);
    this.x0Hat.show(x0Hat, "x̂₀, seen in the x before");
    const end = place + 1 === this.total ? ", the last" : "";
    this.say(`Step ${place + 1} of ${this.total}${end}; ${this.milliseconds} ms a step.`);
    this.update();
  }

  update() {
    const { playing, steps, at, total } = this;
    this.go.textContent = playing ? "Stop" : "Go on";
    this.go.disabled = !playing && steps.length === total;
    this.back.disabled = playing || at < 1;
    this.forward.disabled = playing || at + 1 >= total;
    Object.assign(this.slider, { max: Math.max(0, steps.length - 1), value: at, disabled: playing || steps.length < 2 });
  }
}
