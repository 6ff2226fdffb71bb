/**
 * `npm run conformance:mutants`: plants every fault of the list, and fails unless the programs find 95 in a hundred of them.
 *
 * @module
 */
import { exit, stdout } from "node:process";
import { MUTANTS } from "./mutants.ts";
import { plantAll } from "./mutation.ts";

/** The images that CI runs. */
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];
const WORKERS = 2;
const AT_LEAST = 0.95;

const results = await plantAll(
  SEEDS,
  MUTANTS.map((_, index) => index),
  WORKERS,
  ({ name, area, found }) =>
    stdout.write(`${found === null ? "SURVIVES" : "found"}  ${area}: ${name}${found === null ? "" : ` (${found})`}\n`),
);
const found = results.filter((result) => result.found !== null).length;
stdout.write(`${found} of ${results.length} planted faults were found\n`);
exit(found >= AT_LEAST * results.length ? 0 : 1);
