/**
 * Starts a worker from its TypeScript source on Node: registers tsx, then imports the module that `workerData` names.
 *
 * Only used where the sources run uncompiled; it is no part of the package.
 *
 * @module
 */

import { workerData } from "node:worker_threads";
import { register } from "tsx/esm/api";

register();
await import(workerData.module);
