/**
 * The events of a run: one table, from which the union, the ring's records and the trace's columns are made.
 *
 * Two streams. The *guest* stream is what the guest saw of its machine; it is equal event by event wherever identity is exact.
 * The *machine* stream is the technique's own work; it is priced, and shown as context. Host time never appears in either.
 *
 * @module
 */

/** How a field is kept: a 32-bit or 64-bit unsigned number, a name (interned), or bytes. */
export type FieldType = "u32" | "u64" | "name" | "bytes";
export type Stream = "guest" | "machine";

interface EventRow {
  readonly stream: Stream;
  readonly fields: Readonly<Record<string, FieldType>>;
}

/**
 * Every kind of event. A row's position is its number in traces of this format version: append, never reorder.
 * Modes are 0 user, 1 supervisor, 3 machine. Addresses are guest addresses unless the name says otherwise.
 */
export const EVENTS = {
  /** Bytes that reached the console from outside; `request` is the ordinal of the guest's read that can first see them (T19). */
  "input.console": { stream: "guest", fields: { data: "bytes", request: "u32" } },
  /** A guest-visible exception: the guest's own handler runs next. `value` is stval or mtval. */
  "guest.trap": { stream: "guest", fields: { cause: "u32", pc: "u64", value: "u64", from: "u32", to: "u32" } },
  /** A guest-visible interrupt was taken before the instruction at `pc`. */
  interrupt: { stream: "guest", fields: { cause: "u32", pc: "u64", from: "u32", to: "u32" } },
  /** The guest left a handler by sret or mret. */
  "guest.return": { stream: "guest", fields: { pc: "u64", from: "u32", to: "u32" } },
  /** A call to the platform's SBI, answered. Register fields are a0, a1, a2; the answer is a0 and a1. */
  sbi: {
    stream: "guest",
    fields: { extension: "u32", function: "u32", a0: "u64", a1: "u64", a2: "u64", error: "u64", value: "u64" },
  },
  /** A register of a device was read, or written, by the guest. `size` is in bytes. */
  "device.read": { stream: "guest", fields: { device: "name", offset: "u32", size: "u32", value: "u64" } },
  "device.write": { stream: "guest", fields: { device: "name", offset: "u32", size: "u32", value: "u64" } },
  /** A device read or wrote guest memory. `hash` is of the bytes moved. `write` is 1 where memory was written. */
  dma: { stream: "guest", fields: { device: "name", address: "u64", length: "u32", write: "u32", hash: "u64" } },
  /** `wfi` had nothing pending: guest time moved forward by `ticks` (in steps) to the next due event. */
  idle: { stream: "guest", fields: { ticks: "u64" } },
  /** A lap point that the guest made itself; `code` is its HINT's immediate: kind << 8 | id, kind 1 begin, 2 end, 3 lap. */
  mark: { stream: "guest", fields: { code: "u32" } },
  /** The guest's whole state was digested (T18). */
  checkpoint: { stream: "guest", fields: { digestLow: "u64", digestHigh: "u64", instret: "u64", time: "u64" } },
  /** The run ended. `code` is the guest's own exit code. */
  end: { stream: "guest", fields: { reason: "name", code: "u32" } },

  /** The guest left deprivileged execution. Exactly one `vmm.resume` follows before the next `vmm.exit`. */
  "vmm.exit": { stream: "machine", fields: { reason: "name", pc: "u64", bits: "u32" } },
  /** The VMM did `count` units of one kind of work: decode, emulate, walk-step, shadow-fill, root-switch, device, copy, scan, patch, stub, wedge, call, table-entry; root-tag, prefetch-look, prefetch-fill, protect, trace, resync. */
  "vmm.work": { stream: "machine", fields: { work: "name", count: "u32" } },
  /** The VMM made the guest take a trap (bit 31 of `cause`: an interrupt). */
  "vmm.inject": { stream: "machine", fields: { cause: "u32", pc: "u64" } },
  /** The guest runs again, deprivileged; `mode` is its virtual mode, `real` the hart's. */
  "vmm.resume": { stream: "machine", fields: { mode: "u32", real: "u32" } },
  /** A shadow page table got an entry; `fault` says why it was missing: hidden, true, bare. */
  "shadow.fill": { stream: "machine", fields: { root: "u32", address: "u64", level: "u32" } },
  /** Shadow entries were dropped; `cause` names the guest operation. */
  "shadow.drop": { stream: "machine", fields: { cause: "name", entries: "u32" } },
  /** How a device access was carried out: native, emulated. */
  "device.path": { stream: "machine", fields: { device: "name", path: "name" } },
  /** The VMM copied a page of the guest's code, at guest-physical `page`; `sites` halfwords of the copy trap. */
  patch: { stream: "machine", fields: { page: "u64", sites: "u32" } },
  /** A sensitive instruction ran in real user mode without a trap, as the machine's profile lets it; `mode` is the guest's. */
  leak: { stream: "machine", fields: { mode: "u32", pc: "u64", bits: "u32" } },
  /** A hypercall of a ported guest, answered: a step, as an SBI call is. `call` is its number in docs/hypercalls.md; the answer is a0 and a1. */
  hypercall: {
    stream: "machine",
    fields: { call: "u32", a0: "u64", a1: "u64", a2: "u64", error: "u64", value: "u64" },
  },
  /** An access found all but A or D as it must be: the machine set them, unseen by the guest (`hidden` 1), or the fault is the guest's own. */
  "shadow.accessed": { stream: "machine", fields: { address: "u64", hidden: "u32" } },
  /** The guest goes on using a leaf whose entry it has changed and not fenced (T10). Only where the VMM traces page tables. */
  "stale-translation": { stream: "machine", fields: { address: "u64" } },
} as const satisfies Record<string, EventRow>;

export type EventKind = keyof typeof EVENTS;

interface FieldValues {
  readonly u32: number;
  readonly u64: bigint;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What every event carries: its position in the run, in steps (T1), and its hart. */
export interface Stamp {
  /** Steps since the machine was reset; exact up to 2^53. */
  readonly step: number;
  readonly hart: number;
}

/** The event of one kind. */
export type EventOf<K extends EventKind> = Stamp & { readonly kind: K } & {
  readonly [F in keyof (typeof EVENTS)[K]["fields"]]: (typeof EVENTS)[K]["fields"][F] extends FieldType
    ? FieldValues[(typeof EVENTS)[K]["fields"][F]]
    : never;
};

/** Anything a log may hold. */
export type Event = { [K in EventKind]: EventOf<K> }[EventKind];
export type GuestEvent = Extract<
  Event,
  { kind: { [K in EventKind]: (typeof EVENTS)[K]["stream"] extends "guest" ? K : never }[EventKind] }
>;

/** One function for each kind: a fold over events that forgets a kind does not compile. */
export type Fold<T> = { readonly [K in EventKind]: (event: EventOf<K>) => T };

/** Kinds in the order of their numbers. */
export const KINDS = Object.keys(EVENTS) as EventKind[];

/** Calls the fold's function for the event's kind. */
export function fold<T>(event: Event, cases: Fold<T>): T {
  return (cases[event.kind] as (event: Event) => T)(event);
}
