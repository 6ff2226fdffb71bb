/**
 * Events and differences in words, one line each, for messages and listings.
 *
 * Bytes that a guest chose are printed as JSON text, so that nothing it writes can move a terminal's cursor.
 * Source of cause names: RISC-V Privileged Architecture, "Supervisor Cause (scause) Register", and mcause for machine causes.
 *
 * @module
 */

import { type Event, type Fold, fold } from "../engine/event/mod.ts";
import type { Difference } from "./compare.ts";

const EXCEPTIONS: readonly (string | undefined)[] = [
  "instruction address misaligned",
  "instruction access fault",
  "illegal instruction",
  "breakpoint",
  "load address misaligned",
  "load access fault",
  "store address misaligned",
  "store access fault",
  "ecall from U",
  "ecall from S",
  "ecall from VS",
  "ecall from M",
  "instruction page fault",
  "load page fault",
  undefined,
  "store page fault",
];

const INTERRUPTS: readonly (string | undefined)[] = [
  undefined,
  "supervisor software interrupt",
  undefined,
  "machine software interrupt",
  undefined,
  "supervisor timer interrupt",
  undefined,
  "machine timer interrupt",
  undefined,
  "supervisor external interrupt",
  undefined,
  "machine external interrupt",
];

/**
 * The name of a trap's cause.
 *
 * @param cause As in an event's `cause`: the exception code, or for an interrupt its code.
 */
export function causeName(cause: number, interrupt: boolean): string {
  return (interrupt ? INTERRUPTS : EXCEPTIONS)[cause] ?? `${interrupt ? "interrupt" : "exception"} ${cause}`;
}

/** Writes a count with its thousands apart: 1,204,331. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

const MODES: readonly (string | undefined)[] = ["U", "S", undefined, "M"];

function mode(number: number): string {
  return MODES[number] ?? `mode ${number}`;
}

const MARKS: readonly (string | undefined)[] = [undefined, "begin", "end", "lap"];

/** ASCII as it is, everything else escaped. */
function quoted(data: Uint8Array): string {
  const text = Array.from(data, (byte) => {
    if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
    if (byte >= 0x20 && byte < 0x7f) return String.fromCharCode(byte);
    if (byte === 0x0a) return "\\n";
    if (byte === 0x0d) return "\\r";
    return `\\x${byte.toString(16).padStart(2, "0")}`;
  });
  return `"${text.join("")}"`;
}

const DETAILS: Fold<string> = {
  "input.console": ({ data, request }) => `${quoted(data)}  read ${request}`,
  "guest.trap": ({ cause, pc, value, from, to }) =>
    `${causeName(cause, false)}  pc ${hex(pc)}  value ${hex(value)}  ${mode(from)} to ${mode(to)}`,
  interrupt: ({ cause, pc, from, to }) => `${causeName(cause, true)}  pc ${hex(pc)}  ${mode(from)} to ${mode(to)}`,
  "guest.return": ({ pc, from, to }) => `pc ${hex(pc)}  ${mode(from)} to ${mode(to)}`,
  sbi: (call) =>
    `extension ${hex(call.extension)}  function ${call.function}  a0 ${hex(call.a0)}  a1 ${hex(call.a1)}  a2 ${hex(call.a2)}  error ${hex(call.error)}  value ${hex(call.value)}`,
  "device.read": ({ device, offset, size, value }) => `${device}+${hex(offset)}  ${size} bytes  value ${hex(value)}`,
  "device.write": ({ device, offset, size, value }) => `${device}+${hex(offset)}  ${size} bytes  value ${hex(value)}`,
  dma: ({ device, address, length, write, hash }) =>
    `${device} ${write === 0 ? "reads" : "writes"}  ${length} bytes at ${hex(address)}  hash ${hex(hash)}`,
  idle: ({ ticks }) => `${grouped(Number(ticks))} steps of guest time`,
  mark: ({ code }) => `${MARKS[code >>> 8] ?? `kind ${code >>> 8}`} ${code & 0xff}`,
  checkpoint: ({ digestLow, digestHigh, instret, time }) =>
    `digest ${digestHigh.toString(16).padStart(16, "0")}${digestLow.toString(16).padStart(16, "0")}  instret ${grouped(Number(instret))}  time ${grouped(Number(time))}`,
  end: ({ reason, code }) => `${reason}  code ${code}`,
  "vmm.exit": ({ reason, pc, bits }) => `${reason}  pc ${hex(pc)}  bits ${hex(bits)}`,
  "vmm.work": ({ work, count }) => `${work}  ${count}`,
  "vmm.inject": ({ cause, pc }) => `${causeName(cause & 0x7fff_ffff, cause >>> 31 === 1)}  pc ${hex(pc)}`,
  "vmm.resume": (resume) => `virtual ${mode(resume.mode)}  real ${mode(resume.real)}`,
  "shadow.fill": ({ root, address, level }) => `root ${root}  address ${hex(address)}  level ${level}`,
  "shadow.drop": ({ cause, entries }) => `${cause}  ${entries} entries`,
  "device.path": ({ device, path }) => `${device}  ${path}`,
  patch: ({ page, sites }) => `page ${hex(page)}  ${sites} sites`,
  leak: (leak) => `in ${mode(leak.mode)}  pc ${hex(leak.pc)}  bits ${hex(leak.bits)}`,
  hypercall: (made) =>
    `call ${made.call}  a0 ${hex(made.a0)}  a1 ${hex(made.a1)}  a2 ${hex(made.a2)}  error ${hex(made.error)}  value ${hex(made.value)}`,
  "shadow.accessed": ({ address, hidden }) =>
    `${hidden === 1 ? "set by the VMM" : "the guest's fault"}  address ${hex(address)}`,
  "stale-translation": ({ address }) => `address ${hex(address)}`,
};

/** An event in one line: `guest.trap  ecall from U  pc 0x10a3c  value 0x0  U to S  at step 1,204,331`. */
export function formatEvent(event: Event): string {
  const hart = event.hart === 0 ? "" : `  on hart ${event.hart}`;
  return `${event.kind}  ${fold(event, DETAILS)}  at step ${grouped(event.step)}${hart}`;
}

/** What a difference is a difference of. */
export interface DifferenceNames {
  /** What is verified: a workload. */
  readonly workload: string;
  /** The two sides; usually techniques. */
  readonly left: string;
  readonly right: string;
  /** The command that looks further, if there is one. */
  readonly next?: string;
}

/** A difference as a message: the rule, both sides, the machine events beside them, and the last equal checkpoint. */
export function formatDifference(difference: Difference, names: DifferenceNames): string {
  const { index, left, right, checkpoint } = difference;
  const verdict = `Cannot verify ${names.workload} under ${names.right} as`;
  if (left === undefined && right === undefined) {
    return `${verdict} there must be events to compare: neither ${names.left} nor ${names.right} has any`;
  }
  const width = Math.max(names.left.length, names.right.length);
  const side = (name: string, event: Event | undefined, machine: readonly Event[]) => {
    const beside = machine.length === 0 ? "" : `  (after ${machine.map((e) => `${e.kind}${detail(e)}`).join(", ")})`;
    return `  ${name.padEnd(width)}  ${event === undefined ? "has ended" : formatEvent(event)}${beside}`;
  };
  const agreed =
    checkpoint === undefined ? "no checkpoint before it" : `last equal checkpoint: step ${grouped(checkpoint.step)}`;
  return [
    `${verdict} event ${grouped(index)} of the guest stream differs:`,
    side(names.left, left, difference.leftMachine),
    side(names.right, right, difference.rightMachine),
    `The ${grouped(index)} events before it agree; ${agreed}${names.next === undefined ? "" : ". See both with:"}`,
    ...(names.next === undefined ? [] : [`  ${names.next}`]),
  ].join("\n");
}

function detail(event: Event): string {
  if (event.kind === "vmm.exit") return ` ${event.reason}`;
  return event.kind === "vmm.work" ? ` ${event.work}` : "";
}
