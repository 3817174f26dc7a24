// Langfuse's own client of PostgreSQL, from inside the worker's image.
const { createRequire } = require("node:module");

function database() {
  const fromWorker = createRequire(`${process.cwd()}/worker/package.json`);
  try {
    return fromWorker("@langfuse/shared/src/db").prisma;
  } catch (error) {
    // Later releases have another name for it.
    if (!/^(MODULE_NOT_FOUND|ERR_PACKAGE_PATH_NOT_EXPORTED)$/.test(error.code)) throw error;
    return fromWorker("@langfuse/shared/db").prisma;
  }
}
