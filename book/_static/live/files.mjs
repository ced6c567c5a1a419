// The files of the live pages, fetched from the site when they are first needed and kept by the browser.

const folder = new URL(".", import.meta.url);
export const MB = (bytes) => `${Math.ceil(bytes / 1e6)} MB`;

async function ask(path, cache) {
  const response = await fetch(new URL(path, folder), { cache }).catch(() => {
    throw new Error("The connection is lost; when it is back, press the button again.");
  });
  if (!response.ok) throw new Error(`The site does not have the file ${path}; tell its authors.`);
  return response;
}

// What there is: files, schedules, prompts, pictures.
export async function readAbout() {
  return (await ask("live.json", "no-cache")).json();
}

// The bytes of a file; its name changes with its content, so that a kept one is never old.
export async function fetchFile({ path, bytes }, progress) {
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
export async function unpacked(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Numbers of half precision as single precision
export function fromHalf(bytes) {
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
  return Float32Array.from(halves, (h) => {
    const sign = h >> 15 ? -1 : 1, exponent = (h >> 10) & 31, fraction = (h & 1023) / 1024;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
  });
}
