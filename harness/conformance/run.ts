/**
 * `npm run conformance`: compares the hart with QEMU 7.2 step by step, and prints what was compared; a long run compares
 * generated kernels under every technique with the bare machine as well.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { argv, exit, stderr, stdout } from "node:process";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import type { Tier } from "../../engine/mod.ts";
import { packageFile } from "../installation.ts";
import { conform } from "./conformance.ts";
import { ALL_TECHNIQUES } from "./kernels/compare-kernel.ts";
import { conformKernels } from "./kernels/conform-kernels.ts";
import { requireQemu } from "./qemu.ts";
import type { Recorded } from "./recorded.ts";

const TIERS: readonly Tier[] = ["interpreter", "reference", "jit"];
/** Enough for eight images, which meet every near miss of an instruction as well. */
const EIGHT_IMAGES = 450_000;
/** Steps from which on a gap in the ledger is a failure: fewer images cannot meet everything. */
const WITHOUT_GAPS = 300_000;
/** Steps from which on a run is a long one, which compares generated kernels too: this many, under every technique and way of shadow paging. */
const WITH_KERNELS = 10_000_000;
const KERNELS = 200;
/** What the recorded share holds: this many images from seed 1. */
const RECORDED_IMAGES = 2;
const RECORDED_FILE = "harness/conformance/recorded.json";

const count = (text: string): number => {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError(`Cannot read a number as it must be digits: ${text}`);
  return Number(text);
};
const tierOf = (text: string): Tier => {
  const tier = TIERS.find((name) => name === text);
  if (tier === undefined)
    throw new InvalidArgumentError(`Cannot choose a tier as it is one of ${TIERS.join(", ")}: ${text}`);
  return tier;
};

/**
 * @param args Without the program's name.
 * @returns The exit status: 0 where all agrees and nothing is left uncompared.
 */
export function main(args: readonly string[]): number {
  const command = new Command("conformance")
    .description("compares the hart with QEMU 7.2, step by step")
    .option("--steps <n>", "steps to compare at least", count, EIGHT_IMAGES)
    .option("--seed <n>", "the first image's seed", count, 1)
    .option("--tier <name>", "interpreter, reference or jit", tierOf, "interpreter" as Tier)
    .option("--record", `keep what QEMU answers in ${RECORDED_FILE}`)
    .option("--no-table", "print the ledger's gaps only");
  command.parse([...args], { from: "user" });
  const options = command.opts<{ steps: number; seed: number; tier: Tier; record?: boolean; table: boolean }>();
  try {
    requireQemu();
  } catch (error) {
    stderr.write(`${(error as Error).message}\n`);
    return 2;
  }
  const recorded: Recorded[] = [];
  const { steps, images, ledger, failures } = conform({
    ...options,
    onImage: (seed, comparison) => {
      stderr.write(`image ${seed}: ${comparison.steps} steps agree\n`);
      if (recorded.length < RECORDED_IMAGES) recorded.push(comparison.recorded);
    },
  });
  if (options.table) stdout.write(`${ledger.table()}\n`);
  for (const failure of failures) stdout.write(`${failure}\n`);
  const gaps = options.steps >= WITHOUT_GAPS && failures.length === 0 ? ledger.gaps : [];
  for (const gap of gaps) stdout.write(`never compared: ${gap}\n`);
  stdout.write(`${steps} steps of ${images} images compared, ${failures.length} differences, ${gaps.length} gaps\n`);
  const different = options.steps >= WITH_KERNELS ? compareKernels(options.seed) : 0;
  if (options.record === true && failures.length === 0)
    writeFileSync(packageFile(RECORDED_FILE), `${JSON.stringify(recorded)}\n`);
  return failures.length + gaps.length + different === 0 ? 0 : 1;
}

/** @returns How many generated kernels are not the same bare and under each technique. */
function compareKernels(first: number): number {
  const { kernels, failures } = conformKernels(first, KERNELS, { techniques: ALL_TECHNIQUES });
  for (const failure of failures) stdout.write(`${failure}\n`);
  stdout.write(`${kernels} generated kernels, ${failures.length} differences\n`);
  return failures.length;
}

if (argv[1] === fileURLToPath(import.meta.url)) exit(main(argv.slice(2)));
