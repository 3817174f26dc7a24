// Takes jobs as Langfuse's worker does, and prints each. A job that its consumers' types do not have
// fails for good, and so does one of the project in FAILING.
// https://github.com/langfuse/langfuse/blob/v4.16.0/packages/shared/src/server/queues.ts
const { Worker, UnrecoverableError } = require("bullmq");
const { z } = require("zod");

const scope = z.strictObject({ projectId: z.string().min(1) });
const job = (name, payload) =>
  z.strictObject({
    id: z.uuid(),
    timestamp: z.iso.datetime(),
    name: z.literal(name),
    payload: z.strictObject(payload),
  });
const otel = job("otel-ingestion-job", {
  data: z.strictObject({ fileKey: z.string(), publicKey: z.string().optional() }),
  authCheck: z.strictObject({
    validKey: z.literal(true),
    scope: scope.extend({ accessLevel: z.literal("project") }),
  }),
  ingestionVersion: z.string().optional(),
  isLangfuseInternal: z.boolean().optional(),
});
const ingestion = job("ingestion-job", {
  data: z.strictObject({
    type: z.enum(["trace-create", "observation-create", "score-create", "dataset-run-item-create"]),
    eventBodyId: z.string(),
    fileKey: z.string(),
    bucketPrefix: z.string().endsWith("/"),
  }),
  authCheck: z.strictObject({ validKey: z.literal(true), scope }),
});
const queues = {
  "otel-ingestion-queue": otel,
  "secondary-otel-ingestion-queue": otel,
  "secondary-ingestion-queue": ingestion,
};

const connection = {
  host: process.env.REDIS_HOST,
  port: Number(process.env.REDIS_PORT),
  password: process.env.REDIS_AUTH,
};
for (const [name, shape] of Object.entries(queues)) {
  const take = async (taken) => {
    const parsed = shape.safeParse(taken.data);
    const wrong = parsed.success ? null : z.prettifyError(parsed.error);
    console.log(JSON.stringify({ queue: name, name: taken.name, data: taken.data, wrong }));
    if (wrong || parsed.data.payload.authCheck.scope.projectId === process.env.FAILING)
      throw new UnrecoverableError(wrong ?? "as the test wants it");
  };
  new Worker(name, take, { connection, concurrency: 1 });
}
