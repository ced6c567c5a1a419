// Runs networks beside the page, which never waits for it: a message {name, inputs} is answered by the outputs.
import * as ort from "./ort.mjs";

ort.env.wasm.numThreads = 1; // more need headers that a plain server does not send
ort.env.logLevel = "error";
const sessions = new Map(); // {name of a network: what runs it}

onmessage = async ({ data: { name, inputs, runtime, network } }) => {
  try {
    if (network) {
      ort.env.wasm.wasmBinary = runtime;
      sessions.set(name, await ort.InferenceSession.create(network));
    }
    const session = sessions.get(name), tensors = {}, outputs = {};
    for (const { name, type, shape } of session.inputMetadata)
      tensors[name] = new ort.Tensor(type, inputs[name], shape);
    for (const [name, { data }] of Object.entries(await session.run(tensors))) outputs[name] = data;
    postMessage({ outputs });
  } catch (error) {
    postMessage({ error: error.message });
  }
};
