// What the live pages are put together from: fields, pictures, and squares to draw on.

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const labelled = (text, input) =>
  Object.assign(input, { label: element("label", {}, element("span", {}, text), input) });

export const number = (text, value, min, max, step = 1, type = "number") =>
  labelled(text, element("input", { type, min, max, step, value, required: true, read: Number }));

// its value is the place of the option, from 0
export const choice = (text, options, chosen = 0) => labelled(text, element("select", { read: Number },
  ...options.map((option, i) => element("option", { value: i, selected: i === chosen }, String(option)))));

export function prompt(text, value, known) {
  const list = element("datalist", { id: `live-prompts-${Math.random().toString(36).slice(2)}` },
    ...known.map((name) => element("option", { value: name })));
  const input = labelled(text, element("input", { type: "text", value, read: String, required: true, maxLength: 200 }));
  input.setAttribute("list", list.id);
  input.label.append(list);
  return input;
}

// {name: what its field holds}; where that makes no sense, one sentence says so.
export function values(fields) {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => {
    if (!field.validity.valid || !field.value.trim()) {
      field.focus();
      throw new Error(field.type === "text"
        ? "Write a prompt first: guidance needs a text to go towards."
        : `${field.label.firstChild.textContent} must be ${field.step === "1" ? "a whole number" : "a number"} from ${field.min} to ${field.max}.`);
    }
    return [name, field.read(field.value)];
  }));
}

// A picture and its caption. x: the values of each channel, row by row, from low to 1.
export class Screen {
  constructor(text, side, channels, low) {
    Object.assign(this, { side, channels, low });
    this.canvas = element("canvas", { width: side, height: side, role: "img", ariaLabel: text });
    this.caption = element("figcaption", {}, text);
    this.frame = element("div", { className: "live-frame" }, this.canvas);
    this.figure = element("figure", {}, this.frame, this.caption);
  }

  show(x, text, tint) {
    const pixels = this.side ** 2, data = new Uint8ClampedArray(4 * pixels).fill(255);
    for (let i = 0; i < pixels; i++)
      for (let channel = 0; channel < 3; channel++) {
        const value = x[i + (this.channels === 3 ? channel * pixels : 0)];
        const level = (255 * (value - this.low)) / (1 - this.low);
        data[4 * i + channel] = tint?.[i] ? (level + [255, 0, 255][channel]) / 2 : level;
      }
    this.canvas.getContext("2d").putImageData(new ImageData(data, this.side), 0, 0);
    if (!text) return;
    this.caption.textContent = this.canvas.ariaLabel = text;
  }
}

// A square to draw on with mouse or finger, or by keyboard: arrows move the pen, space lowers or lifts it.
export class Sketch extends Screen {
  constructor(text, side, channels, low, radius) {
    super(text, side, channels, low);
    this.x = new Float32Array(channels * side ** 2).fill(channels === 1 ? 0 : 1);
    this.radius = radius;
    this.colour = channels === 1 ? [1] : [-1, -1, -1];
    this.mask = null; // what is painted where there is a mask
    this.at = [side / 2, side / 2];
    this.pen = element("span", { className: "live-pen", hidden: true });
    this.frame.append(this.pen);
    this.canvas.tabIndex = 0;
    this.canvas.role = "application";
    this.canvas.ariaLabel += "; arrow keys move the pen, space lowers or lifts it";
    this.canvas.className = "live-sketch";
    this.canvas.onpointerdown = (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.at = this.place(event);
      this.draw(this.at);
    };
    this.canvas.onpointermove = (event) => event.buttons && this.draw(this.place(event));
    this.canvas.onpointerup = () => this.changed();
    this.canvas.onkeydown = (event) => this.key(event);
    this.canvas.onblur = () => (this.pen.hidden = true);
    this.show();
  }

  changed() {}

  show() {
    super.show(this.x, "", this.mask);
  }

  place({ offsetX, offsetY }) {
    const size = this.canvas.clientWidth / this.side;
    return [offsetX / size, offsetY / size];
  }

  key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key !== " " && !moves[event.key]) return;
    event.preventDefault();
    if (event.key === " ") this.down = !this.down;
    const [dx, dy] = moves[event.key] ?? [0, 0], inside = (v) => Math.min(this.side - 0.5, Math.max(0.5, v));
    const to = [inside(this.at[0] + dx), inside(this.at[1] + dy)];
    if (this.down) this.draw(to);
    this.at = to;
    this.pen.hidden = false;
    this.pen.dataset.down = Boolean(this.down);
    Object.assign(this.pen.style, { left: `${(100 * to[0]) / this.side}%`, top: `${(100 * to[1]) / this.side}%` });
    this.changed();
  }

  // a line from where the pen is
  draw(to) {
    const [fromX, fromY] = this.at, dots = 1 + Math.ceil(Math.hypot(to[0] - fromX, to[1] - fromY));
    for (let i = 1; i <= dots; i++)
      this.dot(fromX + ((to[0] - fromX) * i) / dots, fromY + ((to[1] - fromY) * i) / dots);
    this.at = to;
    this.show();
  }

  dot(x, y) {
    const pixels = this.side ** 2;
    for (let i = 0; i < pixels; i++) {
      const away = Math.hypot((i % this.side) + 0.5 - x, Math.floor(i / this.side) + 0.5 - y);
      const ink = Math.min(1, Math.max(0, this.radius + 0.5 - away));
      if (this.mask) this.mask[i] ||= ink > 0.5 ? 1 : 0;
      else this.colour.forEach((colour, channel) => {
        const place = channel * pixels + i, before = this.x[place];
        this.x[place] = this.channels === 1 ? Math.max(before, ink) : before + ink * (colour - before);
      });
    }
  }
}

const MAX_PIXELS = 100e6;

// Any picture file -> its middle square as 3x64x64 values in [-1, 1], on white where it is transparent
export async function read(file, side = 64) {
  const picture = new Image();
  picture.src = URL.createObjectURL(file);
  try {
    await picture.decode().catch(() => {
      throw new Error(picture.naturalWidth
        ? `${file.name} is too large for this browser; save it smaller.`
        : `${file.name} cannot be read as a picture; save it as PNG or JPEG.`);
    });
    const { naturalWidth: width, naturalHeight: height } = picture;
    if (width * height > MAX_PIXELS)
      throw new Error(`${file.name} has more than ${MAX_PIXELS / 1e6} million pixels; save it smaller.`);
    const square = Math.min(width, height), canvas = element("canvas", { width: side, height: side });
    const context = canvas.getContext("2d");
    Object.assign(context, { fillStyle: "white", imageSmoothingQuality: "high" });
    context.fillRect(0, 0, side, side);
    context.drawImage(picture, (width - square) / 2, (height - square) / 2, square, square, 0, 0, side, side);
    const { data } = context.getImageData(0, 0, side, side), pixels = side ** 2;
    return Float32Array.from({ length: 3 * pixels }, (_, i) =>
      data[4 * (i % pixels) + Math.floor(i / pixels)] / 127.5 - 1);
  } finally {
    URL.revokeObjectURL(picture.src);
  }
}
