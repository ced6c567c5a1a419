// The networks, which the runtime runs in a worker beside the page, one call at a time.
import { file } from "./files.mjs";
import * as ort from "./ort.mjs";

ort.env.logLevel = "error";
ort.env.wasm.proxy = true; // in a worker
ort.env.wasm.numThreads = 1; // more need headers that a plain server does not send
const sessions = new Map(); // {name of a network: what runs it}
let last = Promise.resolve();

// A network's outputs for its inputs, {name: its numbers} both
export function run(name, inputs) {
  const answer = last.then(() => outputs(name, inputs));
  last = answer.catch(() => {});
  return answer;
}

async function outputs(name, inputs) {
  ort.env.wasm.wasmBinary ??= file("ort.wasm.gz");
  if (!sessions.has(name)) // what the worker is given is gone here, so it gets a copy
    sessions.set(name, await ort.InferenceSession.create(file(`${name}.onnx`).slice()));
  const session = sessions.get(name), tensors = session.inputMetadata.map(({ name, type, shape }) =>
    [name, new ort.Tensor(type, inputs[name].slice(), shape)]);
  const found = await session.run(Object.fromEntries(tensors));
  return Object.fromEntries(Object.entries(found).map(([name, { data }]) => [name, data]));
}
