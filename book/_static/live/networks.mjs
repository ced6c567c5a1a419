// The networks, which the runtime runs in a worker beside the page.
import { file } from "./files.mjs";
import * as ort from "./ort.mjs";

ort.env.logLevel = "error";
ort.env.wasm.proxy = true; // in a worker
ort.env.wasm.numThreads = 1; // more need headers that a plain server does not send
const sessions = new Map(); // {name of a network: the promise of what runs it}

// A network's outputs for its inputs, {name: its numbers} both
export async function run(name, inputs) {
  ort.env.wasm.wasmBinary ??= file("ort.wasm.gz");
  if (!sessions.has(name)) // what the worker is given is gone here, so it gets a copy
    sessions.set(name, ort.InferenceSession.create(file(`${name}.onnx`).slice()));
  const session = await sessions.get(name);
  const tensors = session.inputMetadata.map(({ name, type, shape }) =>
    [name, new ort.Tensor(type, [...inputs[name]], shape)]);
  const found = await session.run(Object.fromEntries(tensors));
  return Object.fromEntries(Object.entries(found).map(([name, { data }]) => [name, data]));
}
