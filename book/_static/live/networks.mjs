// Workers that run networks: two, so that the two estimates of guidance are made side by side.
import { file } from "./files.mjs";

const workers = [0, 1].map(() => ({ waiting: 0, last: Promise.resolve(), has: new Set() }));

// A network's outputs for its inputs, {name: its numbers} both
export async function run(name, inputs) {
  const worker = workers[0].waiting <= workers[1].waiting ? workers[0] : workers[1];
  worker.waiting++;
  const answer = worker.last.then(() => ask(worker, name, inputs)).finally(() => worker.waiting--);
  worker.last = answer.catch(() => {});
  return answer;
}

function ask(worker, name, inputs) {
  worker.thread ??= new Worker(new URL("worker.mjs", import.meta.url), { type: "module" });
  const message = { name, inputs };
  if (!worker.has.has(name)) Object.assign(message, { runtime: file("ort.wasm.gz"), network: file(`${name}.onnx`) });
  return new Promise((resolve, reject) => {
    worker.thread.onerror = () =>
      reject(new Error("This browser cannot run the network; a newer version of it can."));
    worker.thread.onmessage = ({ data: { outputs, error } }) => {
      if (error) return reject(new Error(error));
      worker.has.add(name);
      resolve(outputs);
    };
    worker.thread.postMessage(message);
  });
}
