// The worker that runs the networks, one call at a time.
import { file } from "./files.mjs";

const known = new Set(); // networks that the worker has
let worker, last = Promise.resolve();

// A network's outputs for its inputs, {name: its numbers} both
export function run(name, inputs) {
  const answer = last.then(() => ask(name, inputs));
  last = answer.catch(() => {});
  return answer;
}

function ask(name, inputs) {
  worker ??= new Worker(new URL("worker.mjs", import.meta.url), { type: "module" });
  const message = { name, inputs };
  if (!known.has(name)) Object.assign(message, { runtime: file("ort.wasm.gz"), network: file(`${name}.onnx`) });
  return new Promise((resolve, reject) => {
    worker.onerror = () => reject(new Error("This browser cannot run the network; a newer version of it can."));
    worker.onmessage = ({ data: { outputs, error } }) => {
      if (error) return reject(new Error(error));
      known.add(name);
      resolve(outputs);
    };
    worker.postMessage(message);
  });
}
