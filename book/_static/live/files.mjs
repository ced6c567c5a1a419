// The files of the live pages, fetched when they are first needed and kept by the browser.

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

const content = async (stream) => new Uint8Array(await new Response(stream).arrayBuffer());

// A file's name changes with its content, so that a kept one is never old.
async function fetchFile({ path, bytes }, progress) {
  let got = 0;
  const count = (part, stream) => {
    progress((got += part.length));
    stream.enqueue(part);
  };
  const { body } = await ask(path, "force-cache");
  const all = await content(body.pipeThrough(new TransformStream({ transform: count }))).catch(() => {});
  if (all && got >= bytes) return all;
  throw new Error(`The connection was lost after ${MB(got)} of ${MB(bytes)}; press the button again.`);
}

// A gzipped file's content; some servers have unpacked it already.
const unpacked = (bytes) => bytes[0] !== 0x1f || bytes[1] !== 0x8b ? bytes
  : content(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));

// So many numbers of a file in half precision, from one of them on, in single precision
export function halves(name, start, count) {
  const { buffer, byteOffset } = fetched.get(name);
  return Float32Array.from(new Uint16Array(buffer, byteOffset + 2 * start, count), (half) => {
    const sign = half >> 15 ? -1 : 1, exponent = (half >> 10) & 31, fraction = (half & 1023) / 1024;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
  });
}
