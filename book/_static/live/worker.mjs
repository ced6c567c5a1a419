// Computes beside the page, which never waits for it: each message {id, call, args} is answered.
import * as models from "./models.mjs";

const runs = new Map(); // {a number that the page gives: the steps}
let queue = Promise.resolve(); // one call at a time

const calls = {
  load: (names, progress) => models.load(names, progress),
  picture: models.picture,
  digit: models.digit,
  leftOut: models.leftOut,
  estimate: models.estimate,
  begin: async (run, asked) => void runs.set(run, await models.steps(asked)),
  // the next step of a run; whoever stops asking has stopped it
  next: async (run) => (await runs.get(run).next()).value,
};

onmessage = ({ data: { id, call, args } }) => {
  const progress = (got, all) => postMessage({ id, got, all });
  queue = queue.then(async () => {
    try {
      postMessage({ id, result: await calls[call](...args, progress) });
    } catch (error) {
      postMessage({ id, error: error.message });
    }
  });
};
