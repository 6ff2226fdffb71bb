/** T9: the VMM's own interrupt before every machine instruction of every stub and patched site, with and without an event made pending there. */
import { describe, expect, test } from "vitest";
import { eventsOf } from "../engine/event/record.ts";
import { decode } from "../engine/isa/decode.ts";
import {
  createMachine,
  EVENTS,
  type Event,
  type Machine,
  native,
  pre,
  rewritingInline,
  SITE_CLASSES,
  strict,
  type Technique,
} from "../engine/mod.ts";
import { FORMS, type FormName, formOf, formWords } from "../engine/vmm/inline.ts";
import type { MachineInstruction } from "../engine/vmm/preempt.ts";
import type { Vmm } from "../engine/vmm/vmm.ts";
import { BASE, highCode, highKernel, UP } from "./high-kernel.fixture.ts";

/** Each form on the state page, with registers that a stub must give back. */
const SITES = [
  "csrw sscratch, t0",
  "csrr a1, sscratch",
  "csrw sscratch, zero",
  "csrrw a2, sscratch, a0",
  "csrrw a0, sscratch, a0",
  "csrrw t0, sscratch, t0",
  "csrrw t1, sscratch, zero",
  "csrw scause, t1",
  "csrw stval, a0",
  "csrw sepc, t0",
  "csrr t0, sepc",
  "csrr a4, stvec",
  "csrr a5, satp",
  "csrr a6, sie",
  "csrr a7, sstatus",
  "csrr t0, sstatus",
  "csrrsi t0, sstatus, 2",
  "csrr s2, sstatus",
  "csrrci t1, sstatus, 2",
  "csrsi sstatus, 2",
  "csrr t5, sstatus",
  "csrci sstatus, 2",
  "csrrsi a0, sstatus, 2",
  "csrrci t0, sstatus, 2",
  // What is closed, or open, already.
  "csrrci a1, sstatus, 2",
  "csrrsi a2, sstatus, 2",
  "csrrsi a3, sstatus, 2",
  "csrrci a4, sstatus, 2",
];
const PAD = "sltiu zero, zero, 0x5a5";
/** Pads behind each site, as an afterburned kernel has them; none of them where a site's rd is t0, so that there is each form in a stub too. */
const padsOf = (site: string): number => (site.endsWith(", sepc") ? 1 : /^csrrci (?!t0)/.test(site) ? 3 : 0);
/** Words that a form goes past while interrupts are open. */
const PAST_OPEN: Partial<Record<FormName, number>> = { status: 1, "close-status": 1, "open-status": 5 };
/** The handler's own that take more than a word, which have no records. */
const HANDLER_SITES = [
  ["inEpc", 1],
  ["inStatus", 0],
] as const;
const SOURCE = `
  la t0, handler
  csrw stvec, t0
  pass: li t0, 0x20
  csrw sie, t0
  li t0, 0x1234567
  li t1, -2
  li a0, 0x765
  ${SITES.map((site, i) => [`site${i}: ${site}`, ...Array<string>(padsOf(site)).fill(PAD)].join("\n")).join("\n")}
  j pass
  .align 2
  handler:
  csrr s3, scause
  inEpc: csrr s4, sepc
  ${PAD}
  inStatus: csrr s5, sstatus
  csrw sie, zero
  addi s6, s6, 1
  sret
`;
const { bytes, labels } = highCode(SOURCE);
const kernel = highKernel(
  bytes,
  SITES.map((site, i) => ({
    address: labels.get(`site${i}`)! + UP,
    padding: 4 * padsOf(site),
    siteClass: SITE_CLASSES.undecided.number,
  })),
);
const PASS = labels.get("pass")! + UP;

const boot = (technique: Technique): Machine =>
  createMachine({ kernel, memoryBytes: 4 << 20, rtcSeconds: 0, machineMode: false, profile: strict, technique, logging: true, tier: "interpreter" }); // biome-ignore format: one machine
/** The timer's line rises or falls, as at a deadline and when one is set. */
function line(machine: Machine, level: boolean): void {
  machine.parts.platform.guest.setLine(5, level);
  machine.parts.execution.notice();
}
const guestStream = (machine: Machine): readonly Event[] =>
  [...eventsOf(machine.log.drain())].filter(({ kind }) => EVENTS[kind].stream === "guest");

interface Passes {
  /** Addresses of machine instructions inside of what stands in for a site at which the VMM interrupted. */
  readonly inside: ReadonlySet<bigint>;
  /** How often it did, one after the other machine instruction of a pass. */
  readonly count: number;
  /** Interrupts that the guest took. */
  readonly taken: number;
}
/**
 * Runs passes over all sites, bare and under a technique, and compares after each step. In each pass the VMM interrupts once: in the first before its
 * first machine instruction, in the second before its second, until a pass has no more of them.
 *
 * @param opens The address at which the line rises in each pass; -1 for none.
 * @param event Whether the line rises where the VMM interrupts.
 */
function passes(technique: Technique, { opens = -1n, event = false }: { opens?: bigint; event?: boolean }): Passes {
  const [bare, virtual] = [boot(native), boot(technique)];
  let [pass, number, done] = [-1, -1, true];
  let fired: MachineInstruction | undefined;
  const inside = new Set<bigint>();
  let count = 0;
  (virtual.parts.execution as Vmm).preemption.hook = (at) => {
    if (at.pc === PASS && done) {
      pass++;
      [number, done] = [-1, false];
    }
    number++;
    if (done || number < pass) return undefined;
    [fired, done] = [at, true];
    count++;
    if (at.inside) inside.add(at.pc);
    return event ? () => virtual.parts.platform.guest.setLine(5, true) : () => {};
  };
  const registers = ({ parts: { platform } }: Machine) => [platform.hart.pc, ...platform.hart.x];
  let previous = 0n;
  for (let step = 1; ; step++) {
    const here = bare.parts.platform.hart.pc;
    if (here === PASS && previous !== PASS) {
      if (!done) break;
      for (const machine of [bare, virtual]) line(machine, false);
    }
    if (here === opens) for (const machine of [bare, virtual]) line(machine, true);
    previous = here;
    fired = undefined;
    virtual.run(step);
    const { fired: at } = { fired: fired as MachineInstruction | undefined };
    const where = `step ${step}, machine instruction ${pass} at 0x${at?.pc.toString(16)}`;
    if (event && at?.inside === false) line(bare, true);
    bare.run(step);
    if (event && at?.inside === true) line(bare, true);
    expect(registers(virtual), where).toEqual(registers(bare));
    expect(virtual.digest(), where).toEqual(bare.digest());
  }
  const events = guestStream(bare);
  expect(guestStream(virtual)).toEqual(events);
  return { inside, count, taken: events.filter(({ kind }) => kind === "interrupt").length };
}

/** How many words stand in for sites where the guest has no boundary, those apart that a site goes past in each pass. */
function words(technique: Technique): { readonly forms: ReadonlySet<FormName>; readonly inside: number } {
  const forms = new Set<FormName>();
  let [inside, isOpen] = [0, false];
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  // Under rewriting the handler's instructions are sites too.
  const handled = technique === pre ? [] : HANDLER_SITES;
  for (const [label, pads] of [...SITES.map((site, i) => [`site${i}`, padsOf(site)] as const), ...handled]) {
    const decoded = decode(view.getUint32(Number(labels.get(label)! - BASE), true))!;
    const form = formOf(decoded)!;
    forms.add(form);
    const { length } = formWords(form, decoded);
    // In place, the first word is at the guest's own boundary; a stub has the jump back besides.
    if (length > 1) inside += technique === pre && length <= 1 + pads ? length - 1 : length + 1;
    if (isOpen) inside -= PAST_OPEN[form] ?? 0;
    if (form.startsWith("open")) isOpen = true;
    if (form.startsWith("close")) isOpen = false;
  }
  return { forms, inside };
}

/** Sites that open interrupts. */
const OPENING = SITES.flatMap((site, i) => (/si .*sstatus/.test(site) ? [`site${i}`] : []));

describe.each([rewritingInline, pre])(
  "T9 under $name: the VMM's interrupt before every machine instruction of every stub and patched site",
  (technique) => {
    test("makes no difference, whether or not a site that opens interrupts finds one waiting", () => {
      const { forms, inside } = words(technique);
      expect([...forms].sort()).toEqual(Object.keys(FORMS).sort());
      const hit = new Set(passes(technique, {}).inside);
      for (const opens of OPENING) {
        const run = passes(technique, { opens: labels.get(opens)! + UP });
        expect(run.taken).toBeGreaterThan(run.count - 2);
        for (const pc of run.inside) hit.add(pc);
      }
      expect(hit.size).toBe(inside);
    });

    test("and an event that is made pending there reaches the guest at the site's end, with the guest's own pc", () => {
      const run = passes(technique, { event: true });
      expect(run.inside.size).toBeGreaterThan(50);
      expect(run.taken).toBeGreaterThan(run.count / 2);
    });
  },
);
