// Called by live.py: the time of the fastest step of each network under the runtime of the live pages.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

const { folder, networks } = JSON.parse(process.argv[2]), repeats = Number(process.argv[3]);
const ort = await import(`${folder}/ort.mjs`);
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmBinary = gunzipSync(readFileSync(`${folder}/ort.wasm.gz`));

function example({ type, shape, name }) {
  const size = shape.reduce((a, b) => a * b, 1);
  if (type === "bool") return new ort.Tensor("bool", new Uint8Array(size).fill(1), shape);
  const value = name === "t" ? () => 0.5 : Math.random;
  return new ort.Tensor(type, Float32Array.from({ length: size }, value), shape);
}

const times = {};
for (const [name, [path, calls]] of Object.entries(networks)) {
  const session = await ort.InferenceSession.create(readFileSync(path));
  const inputs = Object.fromEntries(session.inputMetadata.map((input) => [input.name, example(input)]));
  const step = async () => {
    for (let call = 0; call < calls; call++) await session.run(inputs);
  };
  const each = [];
  for (let i = 0; i < repeats; i++) {
    const begun = process.cpuUsage();
    await step();
    const { user, system } = process.cpuUsage(begun);
    each.push((user + system) / 1000);
  }
  times[name] = Math.min(...each);
}
console.log(JSON.stringify(times));
