// Says which background migrations are not done, and what room ClickHouse has. Runs inside the
// worker's image, as the command of a task (langfuse_aws/automation/upgrade/databases.py), with
// the worker's environment and role. It only reads.
const env = process.env;
// A worker that runs one says so every 15 s (worker/src/backgroundMigrations, heartBeat).
const TAKEN = 120e3;
const say = (answer) => console.log(`upgrade: ${JSON.stringify(answer)}`);

async function migrations() {
  const rows = await database().$queryRaw`SELECT name, args, failed_at, failed_reason, locked_at
    FROM background_migrations WHERE finished_at IS NULL ORDER BY name`;
  // The worker leaves alone what a variable holds back, such as the backfill.
  const due = rows.filter((row) => !row.args?.envGate || env[row.args.envGate] === "true");
  const reason = (row) => (row.failed_at ? (row.failed_reason ?? "no reason") : null);
  const taken = (row) => Date.now() - new Date(row.locked_at ?? 0) < TAKEN;
  say({ migrations: due.map((row) => ({ name: row.name, failed: reason(row), taken: taken(row) })) });
}

async function ask(query) {
  const answer = await fetch(env.CLICKHOUSE_URL, {
    method: "POST",
    headers: {
      "X-ClickHouse-User": env.CLICKHOUSE_USER,
      "X-ClickHouse-Key": env.CLICKHOUSE_PASSWORD,
    },
    body: query,
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text.trim().split("\t").map(Number);
}

async function room() {
  const own = "active AND database = 'default'";
  const [used] = await ask(`SELECT sum(bytes_on_disk) FROM system.parts WHERE ${own}`);
  const disk = "SELECT free_space, total_space FROM system.disks WHERE name = 'default'";
  const [free, total] = await ask(disk);
  say({ used, free, total });
}

const failed = (part) => (error) => say({ part, error: `${error?.message ?? error}`.slice(0, 500) });
Promise.all([
  migrations().catch(failed("PostgreSQL")),
  room().catch(failed("ClickHouse")),
]).then(() => process.exit(0));
