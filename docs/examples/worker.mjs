// A worker of your own in JavaScript: node worker.mjs QUEUE. SMARTQUEUE_URL and SMARTQUEUE_KEY say where and who.
import { hostname } from "node:os";

const { SMARTQUEUE_URL, SMARTQUEUE_KEY } = process.env;
const name = `${hostname()}-${process.pid}`;
const leaseSeconds = 30;

// POST; the answer, or null. What the server refuses is thrown with its status: 409 is a lost lease.
async function call(path, body) {
  const response = await fetch(`${SMARTQUEUE_URL}/api/v1/worker/${path}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${SMARTQUEUE_KEY}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw Object.assign(new Error(`${response.status} ${text}`), { refused: response.status });
  return text ? JSON.parse(text) : null;
}

// Yours: do it, look at signal.aborted between steps, return the result or throw.
async function work({ task, input }, log, signal) {
  await log(`${task} begins`);
  if (task === "sum") return { sum: input.reduce((a, b) => a + b, 0) };
  throw new Error(`I do not know how to ${task}`);
}

async function run(job) {
  const lease = `leases/${job.lease}`;
  const stop = new AbortController();
  const keep = setInterval(async () => {
    try {
      const renewed = await call(`${lease}/renewal/`, { lease_seconds: leaseSeconds });
      if (renewed.cancel_requested) stop.abort();
    } catch (error) {
      if (error.refused) stop.abort();
    }
  }, (leaseSeconds * 1000) / 6);
  try {
    const log = (text) => call(`${lease}/log/`, { lines: [{ text }] });
    const result = await work(job.payload, log, stop.signal);
    await (stop.signal.aborted ? call(`${lease}/release/`, {}) : call(`${lease}/finish/`, { result }));
  } catch (error) {
    if (error.refused) console.error("refused:", error.message);
    else await call(`${lease}/failure/`, { error_type: error.name, error: error.message });
  } finally {
    clearInterval(keep);
  }
}

for (;;) {
  const asked = { worker: name, queues: [process.argv[2]], wait_seconds: 20, lease_seconds: leaseSeconds };
  const answer = await call("claims/", asked);
  for (const job of answer?.jobs ?? []) await run(job);
  if (!answer) await new Promise((done) => setTimeout(done, 1000));
}
