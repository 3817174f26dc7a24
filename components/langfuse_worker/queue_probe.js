// Tells CloudWatch how long jobs wait in Langfuse's queues. Runs beside each worker, in the worker's
// image, and only reads: Redis refuses a script that writes under EVAL_RO. It prints a line of
// CloudWatch's embedded metric format each time, and an error once.
// docs/adr/0020-queue-probe-beside-each-worker.md has the reasons.
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const Redis = createRequire(`${process.cwd()}/worker/package.json`)("ioredis");

const env = process.env;
const told = JSON.parse(env.QUEUE_PROBE);
const PERIOD = told.seconds * 1000;
const LIMIT = 5_000;

// The times of jobs are milliseconds. A delayed job's score is its time, with 12 bits of a counter.
// A job that was delayed waits from the end of its delay, not from when it was made.
const LUA = `
local groups, prefix, now = cjson.decode(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local BLOCK = 32
local function look(key, found)
  local function oldest(time)
    if time and time < found.oldest then found.oldest = time end
  end
  local function of_job(id)
    if not id then return end
    local job = redis.call("HMGET", key .. ":" .. id, "timestamp", "opts")
    local read, opts = pcall(cjson.decode, job[2] or "")
    local delay = read and type(opts) == "table" and tonumber(opts.delay) or 0
    oldest(job[1] and tonumber(job[1]) + delay)
  end
  for _, list in ipairs({":wait", ":paused"}) do
    found.waiting = found.waiting + redis.call("LLEN", key .. list)
    of_job(redis.call("LINDEX", key .. list, -1))
  end
  found.waiting = found.waiting + redis.call("ZCARD", key .. ":prioritized")
  of_job(redis.call("ZRANGE", key .. ":prioritized", 0, 0)[1])
  local due = string.format("%.0f", (now + 1) * 4096 - 1)
  found.waiting = found.waiting + redis.call("ZCOUNT", key .. ":delayed", "-inf", due)
  local first = redis.call("ZRANGEBYSCORE", key .. ":delayed", "-inf", due, "WITHSCORES", "LIMIT", 0, 1)
  oldest(first[2] and math.floor(tonumber(first[2]) / 4096))
  found.failed = found.failed + redis.call("ZCARD", key .. ":failed")
end
local function look_at_shards(key, found)
  local first = 1
  while true do
    local keys = {}
    for shard = first, first + BLOCK - 1 do
      table.insert(keys, key .. "-" .. shard .. ":meta")
      table.insert(keys, key .. "-" .. shard .. ":id")
    end
    if redis.call("EXISTS", unpack(keys)) == 0 then return end
    for shard = first, first + BLOCK - 1 do look(key .. "-" .. shard, found) end
    first = first + BLOCK
  end
end
local answer = {}
for _, names in ipairs(groups) do
  local found = {waiting = 0, failed = 0, oldest = now}
  for _, name in ipairs(names.plain) do look(prefix .. ":" .. name, found) end
  for _, name in ipairs(names.sharded) do
    look(prefix .. ":" .. name, found)
    look_at_shards(prefix .. ":" .. name, found)
  end
  table.insert(answer, {found.waiting, now - found.oldest, found.failed})
end
return answer`;

// As the worker builds them, of the same variables.
function tls() {
  if (env.REDIS_TLS_ENABLED !== "true") return undefined;
  const file = (path) => (path ? readFileSync(path) : undefined);
  return {
    ca: file(env.REDIS_TLS_CA_PATH),
    cert: file(env.REDIS_TLS_CERT_PATH),
    key: file(env.REDIS_TLS_KEY_PATH),
    passphrase: env.REDIS_TLS_KEY_PASSPHRASE,
    rejectUnauthorized: env.REDIS_TLS_REJECT_UNAUTHORIZED !== "false",
    ...(env.REDIS_TLS_SERVERNAME && { servername: env.REDIS_TLS_SERVERNAME }),
    ...(env.REDIS_TLS_CHECK_SERVER_IDENTITY === "false" && { checkServerIdentity: () => undefined }),
    ...(env.REDIS_TLS_SECURE_PROTOCOL && { secureProtocol: env.REDIS_TLS_SECURE_PROTOCOL }),
    ...(env.REDIS_TLS_CIPHERS && { ciphers: env.REDIS_TLS_CIPHERS }),
    ...(env.REDIS_TLS_HONOR_CIPHER_ORDER && {
      honorCipherOrder: env.REDIS_TLS_HONOR_CIPHER_ORDER === "true",
    }),
  };
}

let failing = false;
function complain(error) {
  if (failing) return;
  failing = true;
  const secret = env.REDIS_AUTH || "\0";
  console.error(`queue-probe: cannot read the queues: ${String(error.message).replaceAll(secret, "***")}`);
}

let client, cause;
function connect() {
  cause = undefined;
  client = new Redis({
    host: env.REDIS_HOST,
    port: Number(env.REDIS_PORT),
    username: env.REDIS_USERNAME || undefined,
    password: env.REDIS_AUTH || undefined,
    tls: tls(),
    connectTimeout: LIMIT,
    commandTimeout: LIMIT,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: null,
    lazyConnect: true,
  });
  // Why a connection failed is told here, and not to who waits for it.
  client.on("error", (error) => (cause ??= error));
}

// A connection lives while all is well. After any failure the next look makes another one, which
// asks for the address anew: after a failover it is another server's.
async function look() {
  if (!client) connect();
  const now = Date.now();
  const [answer, info] = await Promise.all([
    client.call("EVAL_RO", LUA, 0, JSON.stringify(told.groups), env.REDIS_KEY_PREFIX || told.prefix, now),
    client.info("memory", "replication"),
  ]);
  if (!/^role:master/m.test(info)) throw new Error("the server is a replica, as after a failover");
  const [[waiting, age, failed], [otherWaiting, otherAge]] = answer;
  const values = {
    WaitingJobs: waiting,
    OldestJobAge: Math.max(age, 0) / 1000,
    FailedJobs: failed,
    OtherWaitingJobs: otherWaiting,
    OtherOldestJobAge: Math.max(otherAge, 0) / 1000,
    MemoryUsed: Number(/^used_memory:(\d+)/m.exec(info)[1]),
  };
  const Metrics = told.metrics.map(([Name, Unit]) => ({ Name, Unit, StorageResolution: 1 }));
  const directive = { Namespace: told.namespace, Dimensions: [Object.keys(told.dimensions)], Metrics };
  const _aws = { Timestamp: now, CloudWatchMetrics: [directive] };
  console.log(JSON.stringify({ _aws, ...told.dimensions, ...values }));
  if (failing) console.error("queue-probe: reads the queues again");
  failing = false;
}

async function run() {
  try {
    await look();
  } catch (error) {
    complain(cause ?? error);
    client?.disconnect();
    client = undefined;
  }
  // All probes look at once, so that none of them falls into another period of an alarm.
  setTimeout(run, PERIOD - (Date.now() % PERIOD));
}

for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));
run();
