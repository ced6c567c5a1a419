// The files of the live pages, fetched when they are first needed and kept by the browser.

const folder = new URL(".", import.meta.url);
const fetched = new Map(); // {name: bytes}
export let about; // live.json, what there is: files, schedules, prompts, pictures

export const file = (name) => fetched.get(name);
export const MB = (bytes) => `${Math.ceil(bytes / 1e6)} MB`;

// How many bytes of these files are not there yet
export const missing = (names) => names.filter((name) => !fetched.has(name))
  .reduce((sum, name) => sum + about.files[name].bytes, 0);

// Fetch files unless they are there; progress(text) is told how far it is.
export async function load(names, progress) {
  about ??= await (await ask("live.json", "no-cache")).json();
  const all = missing(names);
  for (const name of names.filter((name) => !fetched.has(name))) {
    const before = all - missing(names);
    fetched.set(name, await fetchFile(about.files[name], (got) =>
      progress(`Fetched ${Math.floor((before + got) / 1e6)} of ${MB(all)} ...`)));
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
  const counting = new TransformStream({
    transform(part, stream) {
      progress((got += part.length));
      stream.enqueue(part);
    },
  });
  const { body } = await ask(path, "force-cache");
  const all = await content(body.pipeThrough(counting)).catch(() => undefined);
  if (!all || got < bytes)
    throw new Error(
      `The connection was lost after ${MB(got)} of ${MB(bytes)}; press the button again.`);
  if (all[0] !== 0x1f || all[1] !== 0x8b) return all; // else it is gzipped; some servers unpack it
  return content(new Blob([all]).stream().pipeThrough(new DecompressionStream("gzip")));
}

// So many numbers of a file in half precision, from one of them on, in single precision
export function halves(name, start, count) {
  const { buffer, byteOffset } = fetched.get(name);
  return Float32Array.from(new Uint16Array(buffer, byteOffset + 2 * start, count), (half) => {
    const sign = half >> 15 ? -1 : 1, exponent = (half >> 10) & 31, fraction = (half & 1023) / 1024;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
  });
}
