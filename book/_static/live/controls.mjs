// The HTML that the live pages are put together from.

const field = (label, input) => `<label><span>${label}</span>${input}</label>`;

export const number = (name, label, value, min, max, step = 1, type = "number") => field(label,
  `<input name="${name}" type="${type}" value="${value}" min="${min}" max="${max}" step="${step}"
    required>`);

export const choice = (name, label, options, chosen) => field(label, `<select name="${name}">${
  options.map((option) => `<option ${option === chosen ? "selected" : ""}>${option}</option>`)
    .join("")}</select>`);

export const prompt = (name, label, value) => field(label,
  `<input name="${name}" type="text" value="${value}" list="live-prompts" maxlength="200" required
    pattern=".*\\S.*" title="a text that the picture shows">`);

export const file = field("or open one", `<input name="own" type="file" accept="image/*">`);

export const colour = field("colour of the pen",
  `<input name="colour" type="color" value="#d02020">`);

export const button = (name, label) => `<button type="button" name="${name}">${label}</button>`;

const figure = (label, content) => `<figure>
  <div class="live-frame">${content}</div><figcaption>${label}</figcaption></figure>`;

const canvas = (label, side, attributes = `role="img"`) =>
  `<canvas width="${side}" height="${side}" aria-label="${label}" ${attributes}></canvas>`;

export const screen = (label, side) => figure(label, canvas(label, side));

// A square to draw on; a mask lies over the picture.
export function sketch(label, side, over = "") {
  const how = `${label}: mouse, finger, or arrow keys and space`;
  const drawn = canvas(how, side, `class="live-sketch" role="application" tabindex="0"`);
  return figure(how, `${over}${drawn}<span class="live-pen" hidden></span>`);
}

export const mask = (label, side) => sketch(label, side, canvas("the picture", side));

export const form = (fields, buttons, screens, below = "") => `<form>
  <div class="live-row">${fields}<div class="live-row">${buttons}</div></div>
  <div class="live-screens">${screens}</div>
  <div class="live-row">${below}</div></form>`;

// What the fields of a form hold, {name: a text, or a number}
export const read = (form) => Object.fromEntries([...new FormData(form)].map(([name, value]) =>
  [name, form.elements[name].type === "text" || isNaN(value) ? value : Number(value)]));
