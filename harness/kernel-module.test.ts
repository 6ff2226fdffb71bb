/** Code that the kernel loads from a file when it has run for long, and loads again with other bytes: hutch's `module` (checklist, section C). */
import { describe, expect, test } from "vitest";
import { type Event, full, native, para, pre, rewritingInline, rewritingTrap, type Technique } from "../engine/mod.ts";
import { type Guest, hutch, hutchPre } from "./guests/mod.ts";
import { record, type Tape } from "./record.ts";
import { replay } from "./replay.ts";

const CALLS = 6;
const small = (guest: Guest): Guest => ({ ...guest, memoryBytes: 16 << 20 });
const tapes = new Map<string, Promise<Tape>>();
function recorded(guest: Guest): Promise<Tape> {
  const tape = tapes.get(guest.name) ?? record({ guest: small(guest), checkpointEvery: 5000 });
  tapes.set(guest.name, tape);
  return tape;
}
const plain = hutch.running(`module ${CALLS}`);
const afterburned = hutchPre.running(`module ${CALLS}`);

/** Sensitive instructions of the module in a call, `csrsi` at its end left out: interrupts are closed in the kernel. */
const SITES = 15;
/** Exits at the module's own addresses, by reason: behind all that is linked into the image's text. */
function exits(events: Iterable<Event>, from: bigint): Record<string, number> {
  const found: Record<string, number> = {};
  for (const event of events) {
    if (event.kind !== "vmm.exit" || event.pc < from || event.bits === 0) continue;
    found[event.reason] = (found[event.reason] ?? 0) + 1;
  }
  return found;
}
/** The image's data begins above this, and its text ends below. */
const DATA = 0xffff_ffff_8021_0000n;

describe("a kernel module", () => {
  test("does what it is there for, on the bare machine", async () => {
    const tape = await recorded(plain);
    expect(tape.ending).toMatchObject({ reason: "poweroff" });
    expect(new TextDecoder().decode(tape.console)).toBe(
      `module: ${CALLS} calls, ${CALLS} right, ${CALLS} after it was replaced\n`,
    );
  });

  const cases: readonly (readonly [Guest, Technique, Readonly<Record<string, number>>])[] = [
    [plain, full, { "privileged-instruction": 2 * CALLS * SITES }],
    // One innocuous instruction gives way to what its second half would be.
    [plain, rewritingTrap, { "rewritten-site": 2 * CALLS * (SITES + 1) }],
    // Its stubs would lie where the kernel's text is. So what takes more than one instruction traps: two reads of sepc, two swaps, and sstatus twice;
    // with them what crosses pages, the fence, and the innocuous instruction.
    [plain, rewritingInline, { "rewritten-site": 2 * CALLS * 9 }],
    [afterburned, native, {}],
    [afterburned, full, { "privileged-instruction": 2 * CALLS * SITES }],
    // No record tells of a module's sites: each traps by itself.
    [afterburned, pre, { "privileged-instruction": 2 * CALLS * SITES }],
  ];
  test.each(
    cases.map(([guest, technique, found]) => ({
      guest,
      technique,
      found,
      name: technique.name + (technique.variant ?? ""),
    })),
  )("of $guest.name runs under $name as bare, event by event", async ({ guest, technique, found }) => {
    const run = await replay(await recorded(guest), { technique });
    expect(run.identity).toEqual({ level: "exact", equal: true, firstDifference: null });
    const { "code-access": stores = 0, ...sites } = exits(run.events(), DATA);
    expect(sites).toEqual(found);
    // The second load stores to a page that runs as a copy, until it is taken for data.
    expect(stores > 0).toBe(technique.name === "rewriting");
  });

  test("is observed alike under para, which knows nothing of its instructions", async () => {
    const run = await replay(await recorded(plain), { technique: para });
    expect(run.identity).toEqual({ level: "observable", equal: true, firstDifference: null });
  });
});
