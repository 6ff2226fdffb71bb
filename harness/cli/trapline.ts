#!/usr/bin/env node
/**
 * The command `trapline`.
 *
 * @module
 */

import { argv, exit, stderr, stdout } from "node:process";
import { main } from "./main.ts";

// A reader that closes early, such as `head`, is no error.
for (const stream of [stdout, stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => (error.code === "EPIPE" ? exit(0) : undefined));

const code = await main(argv.slice(2), { out: (text) => stdout.write(text), err: (text) => stderr.write(text) });
// Ends once all output is out: a pipe takes it when it likes.
await Promise.all([stdout, stderr].map((stream) => new Promise<void>((done) => stream.write("", () => done()))));
exit(code);
