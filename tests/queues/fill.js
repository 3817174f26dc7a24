// Puts jobs into queues as Langfuse does, by BullMQ itself: each order of the argument has a queue, how
// many jobs, how long ago they came (ms), their delay (ms), and what becomes of them.
const { readFileSync } = require("node:fs");
const { Queue, Worker, UnrecoverableError } = require("bullmq");

const env = process.env;
const connection = {
  host: env.REDIS_HOST,
  port: Number(env.REDIS_PORT),
  password: env.REDIS_AUTH,
  tls: env.REDIS_TLS_ENABLED === "true" ? { ca: readFileSync(env.REDIS_TLS_CA_PATH) } : undefined,
};
const prefix = env.REDIS_KEY_PREFIX || undefined;
const BATCH = 10_000;

async function fill({ queue: name, count = 1, ago = 0, delay, priority, then }) {
  const queue = new Queue(name, { connection, prefix });
  if (then === "paused") await queue.pause();
  const timestamp = Date.now() - ago;
  for (let made = 0; made < count; made += BATCH) {
    const jobs = Array.from({ length: Math.min(BATCH, count - made) }, (_, index) => ({
      name: "job",
      data: { number: made + index, payload: "x".repeat(200) },
      opts: { timestamp, delay, priority, attempts: 1, removeOnFail: 100_000 },
    }));
    await queue.addBulk(jobs);
  }
  if (then === "failed") {
    const worker = new Worker(name, () => { throw new UnrecoverableError("as the test wants it"); }, {
      connection,
      prefix,
    });
    while ((await queue.getFailedCount()) < count) await new Promise((done) => setTimeout(done, 20));
    await worker.close();
  }
  await queue.close();
}

(async () => {
  for (const order of JSON.parse(process.argv[2])) await fill(order);
})();
