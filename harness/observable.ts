/**
 * What a guest's users can observe of a run (T19), for runs of binaries that differ: for each of the guest's address spaces its marks and
 * system calls, with the user registers at them; the console; the disk; how the run ended.
 *
 * An address space is known by its root table and counted in order of first use. Where a table is used again, the end of the old space is
 * seen by its last system call, so a process that a signal ends and the next one in its place count as one.
 *
 * Left out: registers of floating point; payloads of devices besides console and disk. Registers are kept as a hash.
 *
 * @module
 */

import { eventsOf } from "../engine/event/mod.ts";
import type { Event, LogBatch, Machine, Observer, UserMoment } from "../engine/mod.ts";
import type { Ending } from "./drive.ts";

/** A system call. The result is missing where the call never returned to where it was made. */
export interface ObservedCall {
  readonly kind: "call";
  readonly step: number;
  readonly pc: bigint;
  readonly number: bigint;
  readonly arguments: readonly bigint[];
  /** Of all user registers. */
  readonly registers: number;
  result: bigint | undefined;
}
export interface ObservedMark {
  readonly kind: "mark";
  readonly step: number;
  readonly code: number;
}
export type Observed = ObservedCall | ObservedMark;

/** Numbers of the system calls that end an address space, when they do not return. */
export interface SystemCallAbi {
  readonly ends: readonly bigint[];
}

/** An input of a run, by what the guest had done before it. */
export interface ObservedInput {
  readonly data: Uint8Array;
  /** How often the guest had read the console, and how many bytes it had written there. */
  readonly request: number;
  readonly printed: number;
}

interface Space {
  readonly seen: Observed[];
  pending: ObservedCall | undefined;
}

/** Watches one run. */
export class Observation implements Observer {
  /** In order of first use. */
  readonly spaces: Space[] = [];
  readonly inputs: ObservedInput[] = [];
  console: Uint8Array = new Uint8Array(0);
  disk: Uint8Array | undefined;
  ending: Ending | undefined;
  readonly #abi: SystemCallAbi;
  readonly #current = new Map<number, Space>();
  /** Where marks belong: the space returned to from each step on. */
  #space: Space | undefined;
  /** Since the last batch: what happened between the marks that it holds. */
  #waiting: { readonly step: number; readonly space: Space; readonly call: ObservedCall | undefined }[] = [];
  #machine: Machine | undefined;

  constructor(abi: SystemCallAbi) {
    this.#abi = abi;
  }

  attach(machine: Machine): void {
    this.#machine = machine;
    machine.observe(this);
  }

  called({ step, pc, space: root, x }: UserMoment): void {
    const space = this.#current.get(root) ?? this.#open(root);
    const call: ObservedCall = {
      kind: "call",
      step,
      pc,
      number: x[17]!,
      arguments: [x[10]!, x[11]!, x[12]!],
      registers: hashOf(x),
      result: undefined,
    };
    space.pending = call;
    this.#waiting.push({ step, space, call });
  }

  returned({ step, pc, space: root, x }: UserMoment): void {
    let space = this.#current.get(root) ?? this.#open(root);
    const { pending } = space;
    if (pending !== undefined) {
      if (pc === pending.pc + 4n) {
        pending.result = x[10]!;
        space.pending = undefined;
      } else if (this.#abi.ends.includes(pending.number)) {
        space = this.#open(root);
      }
    }
    this.#waiting.push({ step, space, call: undefined });
  }
  #open(root: number): Space {
    const space: Space = { seen: [], pending: undefined };
    this.#current.set(root, space);
    this.spaces.push(space);
    return space;
  }

  /** Takes the events of the run, batch by batch. */
  feed(batch: LogBatch): void {
    let next = 0;
    const settle = (until: (one: { readonly step: number; readonly call: ObservedCall | undefined }) => boolean) => {
      for (let one = this.#waiting[next]; one !== undefined && until(one); one = this.#waiting[++next]) {
        this.#space = one.space;
        if (one.call !== undefined) one.space.seen.push(one.call);
      }
    };
    for (const event of eventsOf(batch)) {
      if (event.kind === "mark") {
        // A return at a mark's step comes before it, a call after it.
        settle(({ step, call }) => step < event.step || (step === event.step && call === undefined));
        this.#space?.seen.push({ kind: "mark", step: event.step, code: event.code });
      } else if (event.kind === "input.console") this.#input(event);
    }
    settle(() => true);
    this.#waiting = [];
  }
  #input({ data, request }: Extract<Event, { kind: "input.console" }>): void {
    this.inputs.push({ data, request, printed: this.#machine!.console.length });
  }

  /** Takes what is left at the end. */
  finish(ending: Ending | undefined): void {
    this.console = this.#machine!.console.slice();
    this.disk = this.#machine!.disk;
    this.ending = ending;
  }
}

/** FNV-1a over words, twice, as one number of 52 bits. */
function hashOf(x: BigUint64Array): number {
  const words = new Uint32Array(x.buffer, x.byteOffset, 64);
  let low = 0x811c9dc5;
  let high = 0x01000193;
  for (const word of words) {
    low = Math.imul(low ^ word, 0x01000193);
    high = Math.imul(high ^ word ^ (low >>> 15), 0x85ebca6b);
  }
  return (low >>> 0) * 2 ** 20 + (high >>> 12);
}

/** The first difference of two runs, in words. */
export interface ObservedDifference {
  /** In the left run, or in the right one where the left has nothing there. */
  readonly step: number | null;
  readonly message: string;
}

/** @returns The first difference in the left run's order of steps, or undefined where users see the same. */
export function compareObservations(
  left: Observation,
  right: Observation,
  names: { readonly workload: string; readonly left: string; readonly right: string },
): ObservedDifference | undefined {
  const found: ObservedDifference[] = [];
  const differ = (step: number | null, what: string, a: string, b: string): void => {
    const width = Math.max(names.left.length, names.right.length);
    const message = [
      `Cannot verify ${names.workload} under ${names.right} as ${what} differs:`,
      `  ${names.left.padEnd(width)}  ${a}`,
      `  ${names.right.padEnd(width)}  ${b}`,
    ].join("\n");
    found.push({ step, message });
  };
  for (let i = 0; i < Math.max(left.spaces.length, right.spaces.length); i++) {
    const [a, b] = [left.spaces[i]?.seen ?? [], right.spaces[i]?.seen ?? []];
    const at = firstUnlike(a, b);
    if (at < 0) continue;
    const step = a[at]?.step ?? b[at]?.step ?? null;
    differ(step, `item ${at + 1} of address space ${i + 1}`, describe(a[at]), describe(b[at]));
  }
  found.sort((a, b) => (a.step ?? 0) - (b.step ?? 0));
  compareBytes("the console", left.console, right.console, differ);
  compareBytes("the disk", left.disk ?? NOTHING, right.disk ?? NOTHING, differ);
  const [a, b] = [left.ending, right.ending].map(
    (ending) => `${ending?.reason ?? "no end"}, code ${ending?.code ?? 0}`,
  );
  if (a !== b) differ(null, "the end", a!, b!);
  return found[0];
}
const NOTHING = new Uint8Array(0);

function firstUnlike(a: readonly Observed[], b: readonly Observed[]): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) if (!alike(a[at], b[at])) return at;
  return -1;
}
function alike(a: Observed | undefined, b: Observed | undefined): boolean {
  if (a?.kind === "mark" && b?.kind === "mark") return a.code === b.code;
  if (a?.kind !== "call" || b?.kind !== "call") return false;
  return a.number === b.number && a.pc === b.pc && a.registers === b.registers && a.result === b.result;
}

function describe(observed: Observed | undefined): string {
  if (observed === undefined) return "nothing";
  if (observed.kind === "mark") return `mark ${observed.code >>> 8} ${observed.code & 0xff}`;
  const { number, result, registers, pc } = observed;
  const hex = (value: bigint) => `0x${value.toString(16)}`;
  const answer = result === undefined ? "does not return" : `= ${hex(result)}`;
  return `call ${number} (${observed.arguments.map(hex).join(", ")}) ${answer}  pc ${hex(pc)}  registers ${registers.toString(16)}`;
}

function compareBytes(
  what: string,
  a: Uint8Array,
  b: Uint8Array,
  differ: (step: number | null, what: string, a: string, b: string) => void,
): void {
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  if (at === a.length && at === b.length) return;
  const show = (bytes: Uint8Array) =>
    `${bytes.length} bytes, from there ${JSON.stringify(textOf(bytes.slice(at, at + 24)))}`;
  differ(null, `byte ${at} of ${what}`, show(a), show(b));
}
/** ASCII; all else as it would be escaped. */
const textOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
