// The files of the live pages, fetched from the site when they are first needed and kept by the browser.

const folder = new URL(".", import.meta.url);
const fetched = new Map(); // {name: bytes}
export let about; // live.json, what there is: files, schedules, prompts, pictures

export const file = (name) => fetched.get(name);
export const isFetched = (names) => names.every((name) => fetched.has(name));
export const size = (names) => names.reduce((sum, name) => sum + about.files[name].bytes, 0);
export const MB = (bytes) => `${Math.ceil(bytes / 1e6)} MB`;

// Fetch files unless they are there; progress(text) is told how far it is.
export async function load(names, progress) {
  about ??= await (await ask("live.json", "no-cache")).json();
  const wanted = names.filter((name) => !fetched.has(name)), all = MB(size(wanted));
  for (const [i, name] of wanted.entries()) {
    const before = size(wanted.slice(0, i));
    const bytes = await fetchFile(about.files[name], (got) =>
      progress(`Fetched ${Math.floor((before + got) / 1e6)} of ${all} ...`));
    fetched.set(name, name.endsWith(".gz") ? await unpacked(bytes) : bytes);
  }
}

async function ask(path, cache) {
  const response = await fetch(new URL(path, folder), { cache }).catch(() => {
    throw new Error("The connection is lost; when it is back, press the button again.");
  });
  if (!response.ok) throw new Error(`The site does not have the file ${path}; tell its authors.`);
  return response;
}

// A file's name changes with its content, so that a kept one is never old.
async function fetchFile({ path, bytes }, progress) {
  const reader = (await ask(path, "force-cache")).body.getReader();
  const parts = [];
  let got = 0;
  const cut = () => new Error(
    `The connection was lost after ${MB(got)} of ${MB(bytes)}; press the button again.`);
  for (;;) {
    const { done, value } = await reader.read().catch(() => { throw cut(); });
    if (done) break;
    parts.push(value);
    progress((got += value.length));
  }
  if (got < bytes) throw cut();
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

// A gzipped file's content; some servers have unpacked it already.
async function unpacked(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// So many numbers of a file in half precision, from one of them on, in single precision
export function halves(name, start, count) {
  const { buffer, byteOffset } = fetched.get(name);
  return Float32Array.from(new Uint16Array(buffer, byteOffset + 2 * start, count), (half) => {
    const sign = half >> 15 ? -1 : 1, exponent = (half >> 10) & 31, fraction = (half & 1023) / 1024;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
  });
}
