// Makes the user that web and worker connect as while the owner gets another password, or ends it.
// Runs inside the worker's image, as the command of a task
// (langfuse_aws/automation/rotate/database.py), with the owner's password in its environment.
// Each statement may be repeated. The password goes to PostgreSQL as what it stores of it (RFC 5803):
// a statement that fails is written to its log.
const crypto = require("node:crypto");
const [, action, user, seconds] = process.argv;
const say = (answer) => console.log(`rotate: ${JSON.stringify(answer)}`);
const ROUNDS = 4096;

function verifier(password) {
  const salt = crypto.randomBytes(16);
  const salted = crypto.pbkdf2Sync(password, salt, ROUNDS, 32, "sha256");
  const keyed = (text) => crypto.createHmac("sha256", salted).update(text).digest();
  const stored = crypto.createHash("sha256").update(keyed("Client Key")).digest("base64");
  const server = keyed("Server Key").toString("base64");
  return `SCRAM-SHA-256$${ROUNDS}:${salt.toString("base64")}$${stored}:${server}`;
}

const there = (prisma) =>
  prisma.$queryRawUnsafe(`SELECT 1 AS found FROM pg_roles WHERE rolname = '${user}'`);

async function begin(prisma) {
  const found = await there(prisma);
  const secret = verifier(process.env.DATABASE_PASSWORD);
  for (const statement of [
    `${found.length ? "ALTER" : "CREATE"} ROLE ${user} LOGIN PASSWORD '${secret}'`,
    `GRANT CONNECT, TEMPORARY ON DATABASE "${process.env.DATABASE_NAME}" TO ${user}`,
    `GRANT USAGE ON SCHEMA public TO ${user}`,
    // A table of an extension's may be somebody else's, and is not Langfuse's.
    `DO $$ DECLARE each record; BEGIN
      FOR each IN SELECT oid::regclass AS name, relkind FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relowner = current_user::regrole
        AND relkind IN ('r', 'p', 'v', 'm', 'S') LOOP
      EXECUTE format('GRANT ALL ON %s %s TO ${user}',
        CASE each.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, each.name);
      END LOOP; END $$`,
    // A release may migrate before this rotation has ended.
    `ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO ${user}`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON SEQUENCES TO ${user}`,
  ])
    await prisma.$executeRawUnsafe(statement);
}

async function end(prisma) {
  if (!(await there(prisma)).length) return;
  const sessions = `SELECT count(*)::int AS open FROM pg_stat_activity WHERE usename = '${user}'`;
  for (let waited = 0; ; waited += 1) {
    const [{ open }] = await prisma.$queryRawUnsafe(sessions);
    if (!open) break;
    if (waited >= Number(seconds)) throw new Error(`${user} still has ${open} sessions`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  for (const statement of [
    // Who makes a role may grant it, and has none of its rights: since PostgreSQL 16.
    `GRANT ${user} TO CURRENT_USER`,
    `REASSIGN OWNED BY ${user} TO CURRENT_USER`,
    `DROP OWNED BY ${user}`,
    `DROP ROLE ${user}`,
  ])
    await prisma.$executeRawUnsafe(statement);
}

async function main() {
  const prisma = database();
  await { begin, end }[action](prisma);
  say({ done: action });
}

main()
  .catch((error) => say({ error: `${error?.message ?? error}`.slice(0, 500) }))
  .then(() => process.exit(0));
