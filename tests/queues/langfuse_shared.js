// What the worker's image has as @langfuse/shared/src/server, as far as replay.js uses it: the real
// queues of BullMQ, by the names and defaults of Langfuse 3.225.4 and 4.16.0.
// https://github.com/langfuse/langfuse/blob/v4.16.0/packages/shared/src/server/redis/otelIngestionQueue.ts
// https://github.com/langfuse/langfuse/blob/v4.16.0/packages/shared/src/server/redis/ingestionQueue.ts
const { Redis } = require("ioredis");
const { Queue } = require("bullmq");

const once = (name) => {
  let queue;
  return class {
    static getInstance() {
      queue ??= new Queue(name, {
        connection: new Redis({
          host: process.env.REDIS_HOST,
          port: Number(process.env.REDIS_PORT),
          password: process.env.REDIS_AUTH,
          maxRetriesPerRequest: null,
          enableOfflineQueue: false,
        }),
        defaultJobOptions: {
          removeOnComplete: true,
          removeOnFail: 100_000,
          attempts: 5,
          backoff: { type: "exponential", delay: 5000 },
        },
      });
      return queue;
    }
  };
};

exports.OtelIngestionQueue = once("otel-ingestion-queue");
exports.SecondaryIngestionQueue = once("secondary-ingestion-queue");
// Releases before the second queue of OTLP batches do not have it.
if (process.env.WITHOUT_SECOND_OTEL_QUEUE !== "true")
  exports.SecondaryOtelIngestionQueue = once("secondary-otel-ingestion-queue");
