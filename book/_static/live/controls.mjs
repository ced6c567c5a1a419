// What the live pages are put together from: fields, buttons, pictures, and squares to draw on.

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export const button = (text, onclick, type = "button") => element("button", { type, onclick }, text);

// A field is an input with a label around it; read() gives what it holds.
export const field = (text, input, read = () => input.value) =>
  Object.assign(input, { read, label: element("label", {}, element("span", {}, text), input) });

export function number(text, value, min, max, step = 1, type = "number") {
  const input = element("input", { type, min, max, step, value, required: true });
  return field(text, input, () => input.valueAsNumber);
}

export function choice(text, options, chosen) {
  const select = element("select", {}, ...options.map((option) =>
    element("option", { selected: option === chosen }, String(option))));
  return field(text, select, () => options[select.selectedIndex]);
}

export function prompt(text, value, known) {
  const list = element("datalist", { id: "live-prompts" }, ...known.map((name) => element("option", { value: name })));
  if (!document.getElementById(list.id)) document.body.append(list);
  const input = element("input",
    { type: "text", value, required: true, pattern: ".*\\S.*", title: "a text that the picture shows", maxLength: 200 });
  input.setAttribute("list", list.id);
  return field(text, input);
}

export const row = (...parts) => element("div", { className: "live-row" }, ...parts);

export function form(fields, submit, ...buttons) {
  const labels = Object.values(fields).map(({ label }) => label);
  const made = element("form", {}, ...labels, row(...buttons));
  made.onsubmit = (event) => { // the browser has checked the fields
    event.preventDefault();
    submit();
  };
  return made;
}

export const read = (fields) =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.read()]));

export const screens = (...shown) =>
  element("div", { className: "live-screens" }, ...shown.map(({ figure }) => figure));

// A picture and its caption. x: the values of each channel, row by row, from low to 1.
export class Screen {
  constructor(text, side, channels) {
    Object.assign(this, { side, channels, low: channels === 1 ? 0 : -1 });
    this.canvas = element("canvas", { width: side, height: side, role: "img", ariaLabel: text });
    this.caption = element("figcaption", {}, text);
    this.frame = element("div", { className: "live-frame" }, this.canvas);
    this.figure = element("figure", {}, this.frame, this.caption);
  }

  show(x, text = this.caption.textContent, tinted) {
    const pixels = this.side ** 2, image = new ImageData(this.side, this.side);
    for (let i = 0; i < pixels; i++) {
      for (let channel = 0; channel < 3; channel++) {
        const value = x[this.channels === 1 ? i : channel * pixels + i];
        const level = (255 * (value - this.low)) / (1 - this.low);
        image.data[4 * i + channel] = tinted?.[i] ? (level + [255, 0, 255][channel]) / 2 : level;
      }
      image.data[4 * i + 3] = 255;
    }
    this.canvas.getContext("2d").putImageData(image, 0, 0);
    this.caption.textContent = this.canvas.ariaLabel = text;
  }
}

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// A square to draw on with mouse or finger, or by keyboard: arrows move the pen, space lowers or lifts it.
export class Sketch extends Screen {
  mask = null; // 1 where something is painted, for a sketch on which only that counts
  at = [this.side / 2, this.side / 2];
  colour = this.channels === 1 ? [1] : [-1, -1, -1];
  changed = () => {};

  constructor(text, side, channels, radius) {
    super(`${text}: mouse, finger, or arrow keys and space`, side, channels);
    this.radius = radius;
    this.pen = element("span", { className: "live-pen", hidden: true });
    this.frame.append(this.pen);
    const place = ({ offsetX, offsetY }) => [offsetX, offsetY].map((v) => (v * side) / this.canvas.clientWidth);
    Object.assign(this.canvas, {
      tabIndex: 0,
      role: "application",
      className: "live-sketch",
      onpointerdown: (event) => {
        this.canvas.setPointerCapture(event.pointerId);
        this.at = place(event);
        this.draw(this.at);
      },
      onpointermove: (event) => event.buttons && this.draw(place(event)),
      onpointerup: () => this.changed(),
      onkeydown: (event) => this.key(event),
      onblur: () => (this.pen.hidden = true),
    });
    this.put(new Float32Array(channels * side ** 2).fill(channels === 1 ? 0 : 1));
  }

  put(x) {
    this.x = x;
    this.show(x, undefined, this.mask);
  }

  key(event) {
    if (event.key !== " " && !MOVES[event.key]) return;
    event.preventDefault();
    if (event.key === " ") this.down = !this.down;
    const move = MOVES[event.key] ?? [0, 0];
    const to = this.at.map((v, i) => Math.min(this.side - 0.5, Math.max(0.5, v + move[i])));
    if (this.down) this.draw(to);
    this.at = to;
    const [left, top] = to.map((v) => `${(100 * v) / this.side}%`);
    Object.assign(this.pen, { hidden: false, className: `live-pen ${this.down ? "down" : ""}` });
    Object.assign(this.pen.style, { left, top });
    this.changed();
  }

  // a line from where the pen is
  draw(to) {
    const [x, y] = this.at, dots = 1 + Math.ceil(Math.hypot(to[0] - x, to[1] - y));
    for (let i = 1; i <= dots; i++) this.dot(x + ((to[0] - x) * i) / dots, y + ((to[1] - y) * i) / dots);
    this.at = to;
    this.put(this.x);
  }

  dot(x, y) {
    const pixels = this.side ** 2;
    for (let i = 0; i < pixels; i++) {
      const away = Math.hypot((i % this.side) + 0.5 - x, Math.floor(i / this.side) + 0.5 - y);
      const ink = Math.min(1, Math.max(0, this.radius + 0.5 - away));
      if (this.mask) this.mask[i] ||= ink > 0.5 ? 1 : 0;
      else this.colour.forEach((colour, channel) => {
        this.x[channel * pixels + i] += ink * (colour - this.x[channel * pixels + i]);
      });
    }
  }
}

// Any picture file -> its middle square as 3x64x64 values in [-1, 1], on white where it is transparent
export async function readPicture(file, side = 64) {
  const picture = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name} cannot be read as a picture; save it as PNG or JPEG, or smaller.`);
  });
  const { width, height } = picture, square = Math.min(width, height);
  const context = element("canvas", { width: side, height: side }).getContext("2d");
  Object.assign(context, { fillStyle: "white", imageSmoothingQuality: "high" });
  context.fillRect(0, 0, side, side);
  context.drawImage(picture, (width - square) / 2, (height - square) / 2, square, square, 0, 0, side, side);
  const { data } = context.getImageData(0, 0, side, side), pixels = side ** 2;
  return Float32Array.from({ length: 3 * pixels }, (_, i) =>
    data[4 * (i % pixels) + Math.floor(i / pixels)] / 127.5 - 1);
}
