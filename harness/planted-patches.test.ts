/** T22 for techniques that patch code: what a patch, a stub or the state page must not show, shown on purpose, is noticed. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { DecodeCache } from "../engine/hart/decode-cache.ts";
import { ACCESS } from "../engine/hart/paging.ts";
import { PTE } from "../engine/hart/translations.ts";
import {
  encode,
  findInstruction,
  native,
  pre,
  rewritingInline,
  rewritingTrap,
  SITE_CLASSES,
  type Technique,
} from "../engine/mod.ts";
import { CodeCopies } from "../engine/vmm/code-copies.ts";
import { StatePage } from "../engine/vmm/state-page.ts";
import type { Tamper } from "./drive.ts";
import { type Guest, hutch, hutchPre } from "./guests/mod.ts";
import { highCode, highKernel, UP } from "./high-kernel.fixture.ts";
import { record, type Tape } from "./record.ts";
import { verify } from "./verify.ts";

afterEach(() => vi.restoreAllMocks());

/** Sites that need a stub, one behind the other. */
const SITES = Array.from({ length: 48 }, (_, i) => `site${i}: csrrw a0, sscratch, a1`).join("\n");
/** A kernel that reads its own code, runs little else than sites while a timer does, and writes over one of them. */
const SOURCE = `
  la t0, handler
  csrw stvec, t0
  la s0, site0
  li s1, 48
read:
  lwu t0, 0(s0)
  add s2, s2, t0
  addi s0, s0, 4
  addi s1, s1, -1
  bnez s1, read
  rdtime a0
  addi a0, a0, DELAY
  li a7, 0x54494d45
  li a6, 0
  ecall
  li t0, 0x20
  csrw sie, t0
  li t0, 2
  csrs sstatus, t0
  li a1, 7
  li s3, 40
again:
  ${SITES}
  addi s3, s3, -1
  bnez s3, again
  li s3, 2
twice:
  jal ra, written
  li t0, 0x001a0a13
  la t1, written
  sw t0, 0(t1)
  fence.i
  addi s3, s3, -1
  bnez s3, twice
  li a7, 0x53525354
  li a6, 0
  li a0, 0
  li a1, 0
  ecall
  .align 2
written: csrrw s4, sscratch, a0
  ret
  .align 2
handler:
  csrw sie, zero
  sret
`;
/** @param delay Ticks from where the timer is set to its interrupt. */
function sitesWith(delay: number): () => Guest {
  const { bytes, labels } = highCode(SOURCE.replace("DELAY", String(delay)));
  // The records that an afterburner would have made of the sites that need a stub.
  const sites = [...labels].filter(([name]) => /^site|^written$/.test(name));
  const siteClass = SITE_CLASSES["csr-swap"].number;
  const kernel = highKernel(
    bytes,
    sites.map(([, address]) => ({ address: address + UP, siteClass })),
  );
  return () => ({ name: "sites", workload: `sites ${delay}`, memoryBytes: 4 << 20, load: async () => ({ kernel }) });
}
const interrupted = sitesWith(24);
const alone = sitesWith(2000);
const hutchRunning = (command: string) => (technique: Technique) =>
  (technique === pre ? hutchPre : hutch).running(command);

/** Recorded bare. */
const tapes = new Map<string, Promise<Tape>>();
function recorded(guest: Guest): Promise<Tape> {
  const key = `${guest.name} ${guest.workload}`;
  const tape =
    tapes.get(key) ?? record({ guest: { memoryBytes: 16 << 20, ...guest }, checkpointEvery: 1000, maxSteps: 200_000 });
  tapes.set(key, tape);
  return tape;
}

type Plant = Tamper["apply"];
interface Fault {
  readonly name: string;
  readonly guest: (technique: Technique) => Guest;
  readonly under: readonly Technique[];
  /** Breaks a machine before its first step, and those of its kind that are made later. */
  readonly plant: Plant;
  /** What differs first, as a message says it. */
  readonly shows: RegExp;
}

/** Each page that loads reach, and that runs as a copy, shows the copy. */
const showPatches: Plant = () => {
  const { serves, shown } = CodeCopies.prototype;
  vi.spyOn(CodeCopies.prototype, "serves").mockImplementation(function (this: CodeCopies, frame, access) {
    return access !== ACCESS.load && serves.call(this, frame, access);
  });
  vi.spyOn(CodeCopies.prototype, "shown").mockImplementation(function (this: CodeCopies, frame, access, low, high) {
    const [real, most] = shown.call(this, frame, access, low, high);
    const [copy, executable] = this.count > 0 ? shown.call(this, frame, ACCESS.fetch, low, high) : [real, most];
    return access === ACCESS.load && executable === PTE.X ? [copy, PTE.R | PTE.X] : [real, most];
  });
};

/** The step of a stub ends one instruction early, and its last instruction is one that the guest can be stopped before. */
const endStepsInStubs: Plant = () => {
  const { weigh } = DecodeCache.prototype;
  vi.spyOn(DecodeCache.prototype, "frame").mockImplementation(() => {});
  // What is no frame any longer is the VMM's own code all the same.
  vi.spyOn(DecodeCache.prototype, "isOwn").mockImplementation(() => true);
  vi.spyOn(DecodeCache.prototype, "weigh").mockImplementation(function (this: DecodeCache, physical, weight) {
    if (weight !== 1) weigh.call(this, physical, weight);
    else for (const back of [0, 4, 8]) weigh.call(this, physical - back, back === 4 ? 1 : 0);
  });
};

/** The first words of forms, and jumps to stubs, count as the guest's own instructions do. */
const countForms: Plant = () => {
  const { weigh } = DecodeCache.prototype;
  vi.spyOn(DecodeCache.prototype, "weigh").mockImplementation(function (this: DecodeCache, physical, weight) {
    weigh.call(this, physical, weight === 0 ? undefined : weight);
  });
};

/** Whoever opens interrupts in the state page finds none that waits. */
const hidePending: Plant = () => {
  const write = StatePage.prototype.export;
  vi.spyOn(StatePage.prototype, "export").mockImplementation(function (this: StatePage) {
    write.call(this);
    this.write("pending", 0n);
    this.write("opens", this.read("status") | 2n);
  });
};

/** Pads are no HINT of the hart's: they count as the instruction does that they are made of. */
const countPads: Plant = ({ parts: { platform } }) => {
  const { decoded } = platform.hart;
  const { decodeAt } = decoded;
  const pad = findInstruction("pad")!.op;
  const nop = encode(findInstruction("addi")!, { rd: 0, rs1: 0, imm: 0 });
  Object.assign(decoded, {
    decodeAt: (low: number, high: number) => {
      const found = decodeAt(low, high);
      return found?.instruction.op === pad ? decodeAt(nop & 0xffff, nop >>> 16) : found;
    },
  });
  decoded.clear();
};

const FAULTS: readonly Fault[] = [
  {
    name: "a patch that the guest can read",
    guest: alone,
    under: [rewritingTrap, rewritingInline, pre],
    plant: showPatches,
    shows: /checkpoint .* at step 1,000 /,
  },
  {
    name: "a patch that stays where the guest has written over it",
    guest: alone,
    // Where sites only trap, the VMM carries out what the guest has there now.
    under: [rewritingInline, pre],
    plant: ({ parts: { platform } }) => {
      platform.hart.decoded.onWritten = () => {};
    },
    shows: /checkpoint /,
  },
  {
    name: "a stop inside a stub",
    guest: alone,
    under: [rewritingInline, pre],
    plant: endStepsInStubs,
    shows: /checkpoint .* at step 1,000 /,
  },
  {
    name: "an interrupt inside a stub",
    guest: interrupted,
    under: [rewritingInline, pre],
    plant: endStepsInStubs,
    shows: / {2}native +interrupt .*\n.* interrupt /,
  },
  {
    name: "a jump to a stub that counts",
    guest: hutchRunning("irq-toggle 20"),
    under: [rewritingInline, pre],
    plant: countForms,
    shows: /checkpoint /,
  },
  {
    name: "a pad that counts",
    guest: () => hutchPre.running("null-syscall 20"),
    under: [native],
    plant: countPads,
    shows: /checkpoint /,
  },
  {
    name: "an interrupt that waits in vain for interrupts to be opened",
    guest: hutchRunning("timer-tick 2"),
    under: [rewritingInline, pre],
    plant: hidePending,
    shows: / {2}native +interrupt {2}supervisor timer interrupt /,
  },
];

const CASES = FAULTS.flatMap((fault) =>
  fault.under.map((technique) => {
    const { name, variant = "" } = technique;
    return { ...fault, technique, title: variant === "" ? name : `${name}:${variant}` };
  }),
);
describe("T22", () => {
  test.each(CASES)("under $title, a replay notices $name, and nothing without it", async (one) => {
    const { guest, technique, plant, shows } = one;
    const tape = await recorded(guest(technique));
    expect((await verify(tape, { technique })).identity).toEqual({
      level: "exact",
      equal: true,
      firstDifference: null,
    });
    const { identity } = await verify(tape, { technique, tamper: { atStep: 0, apply: plant } });
    expect(identity.equal).toBe(false);
    expect(identity.firstDifference?.message).toMatch(shows);
  });
});
