/**
 * A conformance run: images in lockstep with QEMU, then the recorded expectations, then the ledger.
 *
 * @module
 */
import { disassemble, type Machine, type Tier } from "../../engine/mod.ts";
import { type Comparison, compareImage } from "./compare.ts";
import { checkAll } from "./expectations.ts";
import { type Image, makeImage } from "./image.ts";
import { Ledger } from "./ledger.ts";
import type { Mismatch } from "./lockstep.ts";
import { shrink } from "./shrink.ts";

export interface ConformanceOptions {
  /** Steps to compare at least; whole images are run. */
  readonly steps: number;
  /** The first image's seed; the next have the next numbers. */
  readonly seed: number;
  readonly tier: Tier;
  /** Is told of each image that agreed. */
  readonly onImage?: (seed: number, comparison: Comparison) => void;
  /** Plants a fault, to see it found. */
  readonly onMachine?: (machine: Machine) => void;
}

export interface ConformanceResult {
  readonly steps: number;
  readonly images: number;
  readonly ledger: Ledger;
  /** What is wrong, each as text; empty where all agrees. */
  readonly failures: readonly string[];
}

/** Runs to the first image that differs, which is then made small. */
export function conform({ steps, seed, tier, onImage, onMachine }: ConformanceOptions): ConformanceResult {
  const ledger = new Ledger();
  const plant = onMachine === undefined ? {} : { onMachine };
  const failures = checkAll(tier, ledger);
  let done = 0;
  let images = 0;
  while (done < steps) {
    const image = makeImage(seed + images);
    const comparison = compareImage(image, { tier, ledger, ...plant });
    done += comparison.steps;
    images++;
    if (comparison.mismatch !== undefined) {
      const again = (some: Image) => compareImage(some, { tier, ...plant }).mismatch;
      failures.push(report(image, comparison.mismatch, again));
      break;
    }
    onImage?.(image.seed, comparison);
  }
  return { steps: done, images, ledger, failures };
}

/** The kind of a mismatch: shrinking must not wander off to another. */
const kindOf = (mismatch: Mismatch | undefined): string | undefined =>
  mismatch === undefined
    ? undefined
    : `${mismatch.instruction.split(" ")[0]} ${mismatch.fields.map((field) => field.split(":")[0]?.replace(/^[xf]\d+$/, "register")).join(" ")}`;

function report(image: Image, mismatch: Mismatch, again: (image: Image) => Mismatch | undefined): string {
  const kind = kindOf(mismatch);
  const { image: small, attempts } = shrink(image, (some) => kindOf(again(some)) === kind);
  const last = again(small) ?? mismatch;
  const lines = [...small.instructions.values()]
    .filter(({ program }) => program < small.programs.length)
    .map(
      ({ address, bits, unit }) =>
        `  ${address.toString(16)}  ${disassemble(bits, BigInt(address))}${unit < 0 ? "   # switches to the section's environment" : ""}`,
    );
  const environment = small.programs[last.program]?.sections[last.section]?.environment;
  return [
    `image ${image.seed} differs after ${mismatch.at} equal steps, at ${mismatch.instruction} (0x${mismatch.pc.toString(16)}):`,
    ...mismatch.fields.map((field) => `  ${field}`),
    `made small in ${attempts} attempts: ${lines.length} instructions are left, of which ${last.instruction} differs:`,
    ...last.fields.map((field) => `  ${field}`),
    ...lines.slice(-60),
    ...(environment === undefined ? [] : [`under ${describeEnvironment(environment)}`]),
    `See it again with: npm run conformance -- --seed ${image.seed} --steps 1`,
  ].join("\n");
}

function describeEnvironment(environment: object): string {
  return Object.entries(environment)
    .map(
      ([name, value]) =>
        `${name} ${typeof value === "bigint" || typeof value === "number" ? `0x${value.toString(16)}` : value}`,
    )
    .join(", ");
}
