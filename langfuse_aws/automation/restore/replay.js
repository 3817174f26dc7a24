// Puts a job into Langfuse's queues for each object of events/ in a time. Runs inside the worker's
// image, as the command of a task (langfuse_aws/automation/restore/replay.py), with the worker's environment and role.
// It reads S3 and writes jobs. docs/adr/0017-replay-by-a-task-of-the-worker.md has the reasons.
const { createRequire } = require("node:module");
const fromWorker = createRequire(`${process.cwd()}/worker/package.json`);
const shared = "@langfuse/shared/src/server";
const langfuse = fromWorker(shared);
const { S3Client, ListObjectsV2Command: List, GetObjectCommand: Get } = createRequire(
  fromWorker.resolve(shared),
)("@aws-sdk/client-s3");

const env = process.env;
const Bucket = env.LANGFUSE_S3_EVENT_UPLOAD_BUCKET;
const root = env.LANGFUSE_S3_EVENT_UPLOAD_PREFIX ?? "";
const since = Date.parse(env.REPLAY_SINCE);
const until = Date.parse(env.REPLAY_UNTIL);
const DAY = 86400e3;
const BATCH = 100;
const READS = 10;
const MOST_WAITING = 500;
const MOST = Number(env.REPLAY_MOST);
const STALLED = Number(env.REPLAY_STALLED_SECONDS) * 1000;
const OTEL = /^(\d{4}\/)(\d\d\/){4}[^/]+\.json$/;
const TYPES = {
  trace: "trace-create",
  observation: "observation-create",
  score: "score-create",
  dataset_run_item: "dataset-run-item-create",
};
// Nothing reads the tables that these would be written to.
if (env.LANGFUSE_MIGRATION_V4_WRITE_MODE === "events_only")
  for (const name of ["trace", "observation"]) delete TYPES[name];

const s3 = new S3Client({ region: env.LANGFUSE_S3_EVENT_UPLOAD_REGION });
const say = (text) => console.log(`replay: ${text}`);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const second = (time) => `${new Date(time).toISOString().slice(0, 19)}Z`;
const minute = (time) => second(time).slice(0, 16).replace(/[-T:]/g, "/");

async function* pages(query) {
  let ContinuationToken;
  do {
    const page = await s3.send(new List({ Bucket, ...query, ContinuationToken }));
    yield page;
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken);
}

async function projects(folder) {
  if (env.REPLAY_PROJECT) return [env.REPLAY_PROJECT];
  const names = [];
  for await (const page of pages({ Prefix: folder, Delimiter: "/" }))
    for (const { Prefix } of page.CommonPrefixes ?? []) names.push(Prefix.slice(folder.length, -1));
  return names;
}

const found = new Map();
const counts = {};
function add(id, time, project, kind, job) {
  if (!found.has(id)) {
    const key = `project ${project}, ${kind}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  // An entity's one job reads all of its objects: it comes with the newest.
  found.set(id, { ...job, time: Math.max(time, found.get(id)?.time ?? 0) });
  if (found.size > MOST) throw new Error(`more than ${MOST} jobs: take a shorter time`);
}

async function find() {
  for (const project of await projects(`${root}otel/`)) {
    const base = `${root}otel/${project}/`;
    // Keys have web's own clock, in its time zone.
    const end = base + minute(until + DAY);
    listing: for await (const page of pages({ Prefix: base, StartAfter: base + minute(since - DAY) }))
      for (const { Key, LastModified } of page.Contents ?? []) {
        if (Key > end) break listing;
        const time = +LastModified;
        if (time < since || time > until || !OTEL.test(Key.slice(base.length))) continue;
        add(Key, time, project, "OTLP batches", { otel: true, project, data: { fileKey: Key } });
      }
  }
  for (const project of await projects(root)) {
    if (["otel", "evals"].includes(project)) continue;
    for (const [kind, type] of Object.entries(TYPES)) {
      const base = `${root}${project}/${kind}/`;
      for await (const page of pages({ Prefix: base }))
        for (const { Key, LastModified } of page.Contents ?? []) {
          const time = +LastModified;
          const end = Key.lastIndexOf("/");
          if (time < since || time > until || end < base.length || !Key.endsWith(".json")) continue;
          const data = {
            type,
            eventBodyId: Key.slice(base.length, end),
            fileKey: Key.slice(end + 1, -5),
            bucketPrefix: Key.slice(0, end + 1),
          };
          add(data.bucketPrefix, time, project, `${kind}s`, { project, data });
        }
    }
  }
}

// Langfuse's own traces, of evaluators: without the mark they would be a user's, and be evaluated.
async function internal(Key) {
  const object = await s3.send(new Get({ Bucket, Key }));
  const spans = JSON.parse(await object.Body.transformToString());
  const scopes = spans.flatMap((each) => each.scopeSpans ?? []).map((each) => each.scope?.name);
  return scopes.length > 0 && scopes.every((name) => name?.startsWith("langfuse-internal-"));
}

async function job({ otel, project, data }) {
  let mark = {};
  try {
    if (otel && (await internal(data.fileKey))) mark = { isLangfuseInternal: true, ingestionVersion: "4" };
  } catch (error) {
    if (!["NoSuchKey", "SyntaxError", "TypeError"].includes(error.name)) throw error;
    say(`left out ${data.fileKey}: ${error.message}`);
    return [];
  }
  const scope = otel ? { projectId: project, accessLevel: "project" } : { projectId: project };
  const name = otel ? "otel-ingestion-job" : "ingestion-job";
  const payload = { data, authCheck: { validKey: true, scope }, ...mark };
  return [{ name, data: { id: crypto.randomUUID(), timestamp: new Date(), name, payload } }];
}

// The second queues have consumers of their own: what comes in now does not wait behind this.
const otelQueue = (langfuse.SecondaryOtelIngestionQueue ?? langfuse.OtelIngestionQueue).getInstance({});
const queue = langfuse.SecondaryIngestionQueue.getInstance({});
const queues = [otelQueue, queue];
const sum = (numbers) => numbers.reduce((one, other) => one + other, 0);
const total = async (...states) => sum(await Promise.all(queues.map((each) => each.getJobCountByTypes(...states))));

async function settle(most) {
  let last, changed;
  for (;;) {
    const now = await total("wait", "prioritized", "active", "delayed");
    if (now <= most) return;
    if (now !== last) [last, changed] = [now, Date.now()];
    if (Date.now() - changed > STALLED) throw new Error(`the worker takes no jobs; ${now} wait`);
    await sleep(1000);
  }
}

let reached = env.REPLAY_SINCE;
async function load() {
  const all = [...found.values()].sort((one, other) => one.time - other.time);
  await Promise.all(queues.map((each) => each.waitUntilReady()));
  const failed = await total("failed");
  for (let start = 0, told = 0; start < all.length; start += BATCH) {
    const batch = all.slice(start, start + BATCH);
    const jobs = [];
    for (let at = 0; at < batch.length; at += READS)
      jobs.push(...(await Promise.all(batch.slice(at, at + READS).map(job))).flat());
    await settle(MOST_WAITING);
    const by = (name) => jobs.filter((each) => each.name.startsWith(name));
    await otelQueue.addBulk(by("otel"));
    await queue.addBulk(by("ingestion"));
    reached = second(batch.at(-1).time);
    if (Date.now() - told < 10e3 && start + BATCH < all.length) continue;
    told = Date.now();
    say(`${start + batch.length} of ${all.length} jobs, to ${reached}`);
  }
  await settle(0);
  const more = (await total("failed")) - failed;
  if (more > 0) throw new Error(`${more} jobs failed for good; the worker's log says why`);
  say("the worker has taken them all");
}

(async () => {
  await find();
  for (const [what, count] of Object.entries(counts)) say(`${what}: ${count}`);
  say(`${found.size} jobs`);
  if (env.REPLAY_DRY_RUN !== "true" && found.size) await load();
})().then(
  () => process.exit(0),
  (error) => {
    say(`error: ${error.message}. To go on: --since ${reached}`);
    process.exit(1);
  },
);
