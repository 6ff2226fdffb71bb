/**
 * Guests that change their page tables, run under a way of shadow paging: looked at as they go, and compared with the bare machine.
 *
 * @module
 */
import { expect } from "vitest";
import { boot, entry, guestEvents, HANDLER, LEAF, NOTING_TRAPS, PAGING, SHUTDOWN } from "../boot.fixture.ts";
import type { MachineConfig } from "../create.ts";
import { EVENTS, type Event } from "../event/event.ts";
import { eventsOf } from "../event/record.ts";
import type { Digest } from "../machine/digest.ts";
import type { Machine } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import { shadowed } from "../techniques/shadowed.ts";
import { brokenShadow } from "./shadow-invariants.ts";
import type { Technique } from "./technique.ts";

export const [A, B] = [0x8004_0000, 0x8005_0000];
export const named = (variant: string): Technique => shadowed.find((technique) => technique.variant === variant)!;
/** All ways but two that do what another does: tagged roots differ in their price, and roots by address space are emptied less often than one. */
export const all = [full, ...shadowed]
  .map((technique) => ({ name: technique.variant ?? "full", technique }))
  .filter(({ name }) => name !== "tagged" && name !== "space-roots");

export interface Ran {
  readonly machine: Machine;
  readonly events: readonly Event[];
}
/** A write to memory by a device, in front of the instruction at a step. */
export interface Options extends Partial<MachineConfig> {
  readonly dma?: { readonly step: number; readonly address: number; readonly bytes: readonly number[] };
}
function write({ parts, step }: Machine, dma: Options["dma"]): void {
  if (step === dma?.step) parts.platform.deviceMemory("test").write(BigInt(dma.address), Uint8Array.from(dma.bytes));
}

/** Steps between two digests. */
const STRIDE = 17;
/** One step in so many has its shadows looked at. */
const LOOKED_AT = 3;
/** What the bare machine makes of each guest: digests at every {@link STRIDE}th step, and its events. */
const bareRuns = new Map<string, { readonly digests: readonly Digest[]; readonly guest: readonly Event[] }>();
function bareRun(program: string, { dma, ...options }: Options) {
  const key = `${options.profile?.name} ${JSON.stringify(dma)} ${program}`;
  const known = bareRuns.get(key);
  if (known !== undefined) return known;
  const machine = boot(program, { ...options, technique: native });
  const digests: Digest[] = [];
  for (;;) {
    write(machine, dma);
    const { kind } = machine.run(machine.step + 1);
    if (kind === "until" && machine.step % STRIDE !== 0) continue;
    if (kind !== "until" || machine.step > 3000) break;
    digests.push(machine.digest());
  }
  expect(machine.parts.platform.end).toMatchObject({ reason: "poweroff" });
  digests.push(machine.digest());
  const made = { digests, guest: guestEvents(machine) };
  bareRuns.set(key, made);
  return made;
}
/** Runs a guest to its end: its shadows are what they must be at every third step, and the guest sees the bare machine. */
export function ran(source: string, technique: Technique, options: Options = {}): Ran {
  const program = `${NOTING_TRAPS}${source}\n${SHUTDOWN}${HANDLER}`;
  const bare = bareRun(program, options);
  const { dma, ...config } = options;
  const machine = boot(program, { ...config, technique });
  let digests = 0;
  for (;;) {
    write(machine, dma);
    const { kind } = machine.run(machine.step + 1);
    if (machine.step % LOOKED_AT === 0) expect(brokenShadow(machine), `step ${machine.step}`).toBeUndefined();
    if (kind === "until" && machine.step % STRIDE !== 0) continue;
    const where = `step ${machine.step}, pc ${machine.parts.platform.hart.pc.toString(16)}`;
    expect(machine.digest(), where).toEqual(bare.digests[digests++]);
    if (kind !== "until") break;
  }
  expect(digests).toBe(bare.digests.length);
  const events = [...eventsOf(machine.log.drain())];
  expect(events.filter(({ kind }) => EVENTS[kind].stream === "guest")).toEqual(bare.guest);
  return { machine, events };
}
export const exits = ({ events }: Ran, reason: string): number =>
  events.filter((event) => event.kind === "vmm.exit" && event.reason === reason).length;
export const work = ({ events }: Ran, kind: string): number =>
  events.reduce((sum, event) => sum + (event.kind === "vmm.work" && event.work === kind ? event.count : 0), 0);
export const count = ({ events }: Ran, kind: Event["kind"]): number =>
  events.filter((event) => event.kind === kind).length;
export const drops = ({ events }: Ran, cause: string): readonly number[] =>
  events.flatMap((event) => (event.kind === "shadow.drop" && event.cause === cause ? [event.entries] : []));

export const put = (at: number, value: number) => `li t4, ${at}\nli t5, ${value}\nsd t5, 0(t4)\n`;
/** Page 0 and 1 of 0x40000000 show A and B, where 7 and 9 lie. t0 stays at the table of their leaves. */
export const PAGES = `${PAGING}${put(A, 7)}${put(B, 9)}${entry(0, A, LEAF.readWrite)}${entry(8, B, LEAF.readWrite)}li t3, 0x40000000\nli a3, 0x40001000\n`;
export const READ = "ld s2, 0(t3)\nld s3, 0(a3)\n";
