// Runs the networks in a thread of its own, so that the page never waits.
let ort, withCard; // the runtime, and whether it uses the graphics card
const sessions = new Map(); // {name of a network: the promise of what runs it}
let last = Promise.resolve(); // one request after the other

onmessage = ({ data }) => {
  last = last.then(() => answer(data)).catch(({ message }) => ({ error: message }))
    .then((found) => postMessage(found));
};

// A network's outputs for its inputs, {name: its numbers} both. The runtime and the network, in bytes,
// come with the first request that needs them.
async function answer({ name, inputs, runtime, network }) {
  if (runtime) await begin(runtime);
  if (network) sessions.set(name, fastest(network, inputs));
  const { session, where } = await sessions.get(name);
  return { found: await call(session, inputs), where };
}

async function begin({ script, binary, card }) {
  withCard = card;
  ort = await import(script).catch(() => {
    throw new Error("The connection is lost; load the page again.");
  });
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = 1; // more need headers that a plain server does not send
  ort.env.wasm.wasmBinary = binary;
}

// What runs a network: the graphics card if it finds what the processor finds, and sooner
async function fastest(network, inputs) {
  const processor = { session: await session(network, "wasm"), where: "processor" };
  if (!withCard) return processor;
  try {
    const card = { session: await session(network, "webgpu"), where: "graphics card" };
    const slow = await trial(processor.session, inputs), fast = await trial(card.session, inputs);
    return fast.time <= slow.time && alike(fast.found, slow.found) ? card : processor;
  } catch { // a graphics card that cannot
    return processor;
  }
}

const session = (network, provider) =>
  ort.InferenceSession.create(network, { executionProviders: [provider] });

// What a session finds, and how long its second call takes; the first prepares it.
async function trial(session, inputs) {
  const found = await call(session, inputs), begun = performance.now();
  await call(session, inputs);
  return { found, time: performance.now() - begun };
}

const alike = (found, others) => Object.entries(found).every(([name, x]) =>
  x.every((value, i) => Math.abs(value - others[name][i]) < 0.01));

async function call(session, inputs) {
  const tensors = session.inputMetadata.map(({ name, type, shape }) =>
    [name, new ort.Tensor(type, [...inputs[name]], shape)]);
  const found = await session.run(Object.fromEntries(tensors));
  return Object.fromEntries(Object.entries(found).map(([name, { data }]) => [name, data]));
}
