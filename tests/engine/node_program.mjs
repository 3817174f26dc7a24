// Runs one command of Pulumi's Automation API with the TypeScript programs that are named, all in
// one stack: `node node_program.mjs up|preview PROGRAM…`. Prints the outputs, or the count of each
// kind of change, as JSON; a failure's message goes to standard error.

import { LocalWorkspace } from "@pulumi/pulumi/automation/index.js";

const [command, ...programs] = process.argv.slice(2);

const stack = await LocalWorkspace.createOrSelectStack(
    {
        stackName: "dev",
        projectName: "platform",
        program: async () => Object.assign({}, ...(await Promise.all(programs.map((each) => import(each))))),
    },
    { workDir: process.cwd() },
);
try {
    const done = await stack[command]({ parallel: 8 });
    console.log(JSON.stringify(command === "up" ? await stack.outputs() : done.changeSummary));
} catch (error) {
    console.error(error.message);
    process.exitCode = 1;
}
