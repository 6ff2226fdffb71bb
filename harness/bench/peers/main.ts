/**
 * `npm run bench:peers`: the same bare-metal work in ours and in QEMU, side by side, as ratios of speed.
 *
 * A group is one of ours and its peers, measured one right after the other, in alternating order, so that what else the machine does
 * strikes them alike. Speeds are by CPU seconds, differential over two sizes of the work. With `--boot`, a whole boot instead.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { measureBoot } from "./boot.ts";
import { type Contender, nameOf, type Prepared, run } from "./contenders.ts";
import { buildWorkload, QEMU, requirePrograms } from "./peer-guests.ts";
import {
  type BootRow,
  GROUPS,
  type Group,
  type Peer,
  type Row,
  ratioOf,
  spreadOf,
  type Timing,
  WORKLOADS,
  type Workload,
  workSeconds,
} from "./plan.ts";

interface Options {
  readonly quick: boolean;
  readonly works: readonly Workload[];
  readonly groups: readonly Group[];
  readonly repeats: number;
  readonly say: (line: string) => void;
}

/** Runs it. @param args What follows `npm run bench:peers --`. @throws {RangeError} If it cannot, with the reason. */
export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      boot: { type: "boolean", default: false },
      work: { type: "string" },
      ours: { type: "string" },
      repeats: { type: "string", default: "3" },
    },
  });
  const repeats = Number(values.repeats);
  if (!Number.isSafeInteger(repeats) || repeats < 1)
    throw new RangeError(`Cannot compare as --repeats must be a whole number of at least 1: it is ${values.repeats}`);
  const works = values.work?.split(",") ?? WORKLOADS.map(({ work }) => work);
  const tiers = values.ours?.split(",") ?? ["jit", "interpreter"];
  const options: Options = {
    quick: values.quick,
    works: works.map((name) => chosen(WORKLOADS, "work", name)),
    groups: tiers.flatMap((name) => {
      chosen(GROUPS, "ours", name);
      return GROUPS.filter(({ ours }) => ours === name);
    }),
    repeats,
    say: (line) => process.stderr.write(`${line}\n`),
  };
  requirePrograms(values.boot ? [QEMU] : undefined);
  const folder = mkdtempSync(join(tmpdir(), "trapline-peers-"));
  try {
    const rows = values.boot
      ? [await measureBoot({ ...options, folder })]
      : options.quick
        ? smoke(options, folder)
        : measure(options, folder);
    process.stdout.write(values.json ? `${JSON.stringify({ rows })}\n` : tableOf(rows));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function chosen<T, K extends keyof T>(all: readonly T[], key: K, name: string): T {
  const found = all.find((one) => one[key] === name);
  if (found !== undefined) return found;
  const known = [...new Set(all.map((one) => one[key]))].join(", ");
  throw new RangeError(`Cannot compare as --${String(key)} must name some of ${known}: it names ${name}`);
}

/** Everyone's console output at one size of a workload: all must print the same. */
class Consoles {
  #first: { readonly name: string; readonly console: string } | undefined;

  /** @throws {RangeError} If it is not what the first one printed, or no checksum. */
  check(work: string, name: string, console: string): void {
    if (!/^checksum [0-9a-f]{16}\r?\n$/.test(console))
      throw new RangeError(
        `Cannot compare ${work} as ${name} must print a checksum: it prints ${JSON.stringify(console)}`,
      );
    this.#first ??= { name, console };
    if (console.trim() !== this.#first.console.trim())
      throw new RangeError(
        `Cannot compare ${work} as all must print the same: ${this.#first.name} prints ${this.#first.console.trim()}, ${name} prints ${console.trim()}`,
      );
  }
  get text(): string {
    return this.#first?.console.trim() ?? "";
  }
}

/** Who makes the recording that a contender replays, if it does. */
function recorderOf(contender: Contender): Contender | undefined {
  if (contender.ours === undefined) return contender.peer === "qemu-replay" ? { peer: "qemu-record" } : undefined;
  return contender.mode === "replay" ? { ours: contender.ours, mode: "record" } : undefined;
}

/** A workload at one size, with the recordings that replays read. */
class Sized {
  readonly consoles = new Consoles();
  readonly #work: string;
  readonly #prepared: Prepared;
  instret = 0;

  constructor(workload: Workload, rounds: number, folder: string) {
    this.#work = `${workload.work} ${rounds}`;
    this.#prepared = { kernel: buildWorkload(workload, rounds, folder), folder };
  }
  /** Makes the recordings that the contenders will replay. */
  prepare(contenders: readonly Contender[]): void {
    for (const contender of contenders) {
      const recorder = recorderOf(contender);
      if (recorder !== undefined) this.seconds(recorder, true);
    }
  }
  /** CPU seconds of one run, whose console output is checked. */
  seconds(contender: Contender, keep = false): number {
    const ran = run(contender, this.#prepared, keep);
    this.consoles.check(this.#work, nameOf(contender), ran.console);
    this.instret = ran.instret ?? this.instret;
    return ran.seconds;
  }
}

const contenderOf = ({ ours }: Group, peer: Peer): Contender =>
  peer === "self-record" ? { ours, mode: "record" } : { peer };

/** All that a group measures: ours first. */
const contendersOf = (group: Group): readonly Contender[] => [
  { ours: group.ours, mode: group.mode },
  ...group.peers.map((peer) => contenderOf(group, peer)),
];

/** Runs everyone once on little work. @returns No rows: there is nothing to say about speed. */
function smoke({ works, groups, say }: Options, folder: string): readonly Row[] {
  const contenders = new Map(groups.flatMap(contendersOf).map((contender) => [nameOf(contender), contender]));
  for (const workload of works) {
    const sized = new Sized(workload, workload.quick, folder);
    const all = [...contenders.values()];
    sized.prepare(all);
    const prepared = new Set(all.map(recorderOf).map((recorder) => recorder && nameOf(recorder)));
    for (const [name, contender] of contenders) if (!prepared.has(name)) sized.seconds(contender);
    say(`${workload.work}: ${sized.consoles.text} from ${[...contenders.keys()].join(", ")}`);
  }
  return [];
}

function measure({ works, groups, repeats, say }: Options, folder: string): readonly Row[] {
  return works.flatMap((workload) => groups.flatMap((group) => measureGroup(workload, group, repeats, say, folder)));
}

function measureGroup(
  workload: Workload,
  group: Group,
  repeats: number,
  say: Options["say"],
  folder: string,
): readonly Row[] {
  const contenders = contendersOf(group);
  const [small, large] = workload.rounds[group.ours].map((rounds) => new Sized(workload, rounds, folder)) as [
    Sized,
    Sized,
  ];
  small.prepare(contenders);
  large.prepare(contenders);
  const timings: Timing[][] = contenders.map(() => []);
  for (let repeat = 0; repeat < repeats; repeat++) {
    const order = [...contenders.entries()];
    if (repeat % 2 === 1) order.reverse();
    for (const [i, contender] of order)
      timings[i]!.push({ small: small.seconds(contender), large: large.seconds(contender) });
  }
  const million = (large.instret - small.instret) / 1e6;
  const speeds = contenders.map(
    (contender, i) =>
      `${nameOf(contender)} ${Math.round(million / spreadOf(timings[i]!.map(workSeconds)).median).toString()}`,
  );
  say(`${workload.work}, million instructions a CPU second: ${speeds.join(", ")}`);
  const [ours, ...others] = timings;
  return group.peers.map((peer, i) => ({
    work: workload.work,
    ours: group.ours,
    mode: group.mode,
    peer,
    ratio: spreadOf(ours!.map((timing, repeat) => ratioOf(timing, others[i]![repeat]!))),
  }));
}

function tableOf(rows: readonly (Row | BootRow)[]): string {
  if (rows.length === 0) return "All print the same checksums\n";
  const lines = rows.map(({ work, ours, mode, peer, ratio }) => [
    ...[work, ours, mode, peer],
    ...[ratio.min, ratio.median, ratio.max].map((value) => value.toFixed(2)),
  ]);
  const table = [["work", "ours", "mode", "peer", "min", "median", "max"], ...lines];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((line) => line[column]!.length)));
  const text = table.map((line) =>
    line.map((cell, i) => (i < 4 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "),
  );
  return `Our speed by the peer's, more is better:\n${text.join("\n")}\n`;
}
