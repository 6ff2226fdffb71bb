/** The wedge's patcher, which the hart runs, agrees with the forms that the rewriter picks, instruction by instruction. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createMachine } from "../create.ts";
import { eventsOf } from "../event/record.ts";
import type { Tier } from "../hart/hart.ts";
import { PAGE_BYTES } from "../hart/memory.ts";
import { PTE } from "../hart/translations.ts";
import { CSRS } from "../isa/csr.ts";
import { decode, decodeAt } from "../isa/decode.ts";
import { encode } from "../isa/encode.ts";
import { findInstruction } from "../isa/instructions.ts";
import { strict } from "../isa/profile.ts";
import { SITE_CLASSES, SITE_RECORD_BYTES } from "../isa/sites.ts";
import type { Machine } from "../machine/machine.ts";
import { native } from "../techniques/native.ts";
import { pre } from "../techniques/pre.ts";
import { VmmFrames } from "./frames.ts";
import { formOf, formWords } from "./inline.ts";
import { ShadowTables } from "./shadow.ts";
import { distanceOf, isJump, jumpBy, toSite, trapsInside } from "./stubs.ts";
import type { Technique } from "./technique.ts";
import type { Vmm } from "./vmm.ts";
import { Wedge } from "./wedge.ts";

const kernel = readFileSync(new URL("../../experiments/guests/hutch/prebuilt/hutch-pre.elf", import.meta.url));
const hutch = (append: string, technique: Technique, tier: Tier = "interpreter") =>
  createMachine({ kernel, append, memoryBytes: 16 << 20, rtcSeconds: 0, machineMode: false, profile: strict, technique, logging: true, tier }); // biome-ignore format: one machine

const PAGE = 0xffff_ffff_8020n;
const PAD = findInstruction("pad")!.match;

/** Patches a page of instructions, each with room for `pads` pads. @returns The copy, the stubs, and the original. */
function patch(instructions: readonly number[], pads: number, stubbed = true) {
  const { platform } = hutch("true", pre).parts;
  const { memory } = platform;
  const frames = new VmmFrames(memory);
  const bytes = 4 + 4 * pads;
  const records = new Uint8Array(instructions.length * SITE_RECORD_BYTES);
  const view = new DataView(records.buffer);
  // Taken behind what the machine's own VMM has.
  const [copy, stubs] = Array.from({ length: 200 }, () => frames.allocate()).slice(-2) as [number, number];
  const words = (frame: number) => new DataView(memory.wasm.buffer, memory.linear(frame * PAGE_BYTES), PAGE_BYTES);
  for (const [i, instruction] of instructions.entries()) {
    view.setBigUint64(i * SITE_RECORD_BYTES, (PAGE << 12n) + BigInt(2 + i * bytes), true);
    view.setUint16(i * SITE_RECORD_BYTES + 8, 4, true);
    view.setUint16(i * SITE_RECORD_BYTES + 10, 4 * pads, true);
    view.setUint16(i * SITE_RECORD_BYTES + 12, SITE_CLASSES.undecided.number, true);
    words(copy).setUint32(2 + i * bytes, instruction, true);
    for (let pad = 1; pad <= pads; pad++) words(copy).setUint32(2 + i * bytes + 4 * pad, PAD, true);
  }
  const shadow = new ShadowTables(memory, frames);
  const wedge = new Wedge(platform, frames, shadow, records);
  const took = wedge.patch({ page: Number(PAGE), copy, stubs: stubbed ? stubs : -1 });
  return { took, at: (i: number) => 2 + i * bytes, copy: words(copy), stubs: words(stubs) };
}

/** CSR instructions of all kinds, on every CSR that a kernel has and some operands. */
function instructions(): number[] {
  const all: number[] = [];
  for (const mnemonic of ["csrrw", "csrrs", "csrrc", "csrrwi", "csrrsi", "csrrci"]) {
    const row = findInstruction(mnemonic)!;
    for (const { number } of CSRS.filter(({ mode }) => mode === "supervisor"))
      for (const [rd, rs1] of [
        [0, 0],
        [0, 2],
        [5, 0],
        [10, 2],
        [5, 5],
        [31, 31],
        [7, 30],
      ] as const)
        all.push(encode(row, { rd, rs1, zimm5: rs1, imm: number }));
  }
  for (const name of ["sret", "wfi", "ecall"]) all.push(findInstruction(name)!.match);
  return all;
}

describe("the wedge", () => {
  test.each([0, 1, 2, 3])(
    "picks the form that the rewriter picks, and puts the site's registers in, with %i pads",
    (pads) => {
      const all = instructions();
      const forms = new Set<string>();
      // So few at a time that there is room for the stubs of all.
      for (let from = 0; from < all.length; from += 16) {
        const some = all.slice(from, from + 16);
        const { at, copy, stubs } = patch(some, pads);
        for (const [i, instruction] of some.entries()) {
          const decoded = decode(instruction)!;
          const name = formOf(decoded);
          const site = copy.getUint32(at(i), true);
          if (name === undefined) {
            expect(site, instruction.toString(16)).toBe(instruction);
            continue;
          }
          forms.add(name);
          const words = formWords(name, decoded);
          if (words.length <= pads + 1) {
            const found = Array.from({ length: pads + 1 }, (_, k) => copy.getUint32(at(i) + 4 * k, true));
            expect(found, instruction.toString(16)).toEqual([...words, ...Array(pads + 1 - words.length).fill(PAD)]);
            continue;
          }
          expect([isJump(site), trapsInside(site, decodeAt)], instruction.toString(16)).toEqual([true, true]);
          const stub = toSite(at(i), distanceOf(site));
          const back = jumpBy(at(i) + 4 * (pads + 1) - (stub + 4 * words.length - 0x3f000));
          const found = Array.from({ length: words.length + 1 }, (_, k) => stubs.getUint32(stub + 4 * k, true));
          expect(found, instruction.toString(16)).toEqual([...words, back]);
        }
      }
      expect(forms.size).toBe(10);
    },
  );

  test("leaves sites that need a stub where none may be, or none has room, and counts what it runs", () => {
    const swap = encode(findInstruction("csrrw")!, { rd: 10, rs1: 11, imm: 0x140 });
    const { at, copy, took } = patch([swap, swap], 0, false);
    expect([copy.getUint32(at(0), true), copy.getUint32(at(1), true)]).toEqual([swap, swap]);
    expect(took).toBeGreaterThan(2 * 50);
    const many = patch(Array(900).fill(swap), 0);
    const left = Array.from({ length: 900 }, (_, i) => many.copy.getUint32(many.at(i), true)).filter((w) => w === swap);
    expect(left.length).toBeGreaterThan(300);
    expect(left.length).toBeLessThan(900);
  });
});

describe("an afterburned kernel under pre", () => {
  /** Compares with the bare machine as it goes. @returns Exits by reason, and work by kind. */
  const follow = (append: string, tier: Tier): readonly [Record<string, number>, Record<string, number>] => {
    const bare = hutch(append, native);
    const virtual = hutch(append, pre, tier);
    for (;;) {
      const stops = [bare.run(bare.step + 5003), virtual.run(virtual.step + 5003)];
      expect(virtual.digest(), `step ${bare.step}`).toEqual(bare.digest());
      expect(stops[1]).toEqual(stops[0]);
      if (stops[0]!.kind !== "until") break;
    }
    const exits: Record<string, number> = {};
    const works: Record<string, number> = {};
    for (const event of eventsOf(virtual.log.drain())) {
      if (event.kind === "vmm.exit") exits[event.reason] = (exits[event.reason] ?? 0) + 1;
      if (event.kind === "vmm.work") works[event.work] = (works[event.work] ?? 0) + event.count;
    }
    return [exits, works];
  };

  test.each([
    ["null-syscall 50", "interpreter"],
    ["timer-tick 3", "jit"],
    ["irq-toggle 20", "reference"],
    ["page-fault 30", "interpreter"],
    ["fork-exec 3", "jit"],
    ["signal 5", "interpreter"],
    ["context-switch 20", "jit"],
  ] as const)("runs %s as on the bare machine, in the %s", (append, tier) => {
    const [, works] = follow(append, tier);
    expect(works["wedge"]).toBeGreaterThan(1000);
  });

  test("leaves twice for a null system call, in and out, and never to flip the interrupt flag", () => {
    const each = (workload: string) => {
      const [few, many] = [20, 120].map((count) => follow(`${workload} ${count}`, "interpreter")[0]) as [
        Record<string, number>,
        Record<string, number>,
      ];
      const more = Object.entries(many).map(([reason, count]) => [reason, (count - (few[reason] ?? 0)) / 100] as const);
      return Object.fromEntries(more.filter(([reason, count]) => reason !== "page-fault" && count > 0.1));
    };
    expect(each("null-syscall")).toEqual({ "environment-call": 1, "privileged-instruction": 1 });
    expect(each("irq-toggle")).toEqual({});
  });

  test("shows its copies to be executed, by the kernel alone, and the wedge's pages to nobody", () => {
    const machine: Machine = hutch("fork-exec 2", pre);
    const { shadow } = machine.parts.execution as Vmm;
    const end = (0x8000_0000 + (16 << 20)) / PAGE_BYTES;
    let copies = 0;
    while (machine.run(machine.step + 10_007).kind === "until") {
      for (const { key, page, frame, flags } of shadow.leaves()) {
        const [root, mode] = key.split("/").map(Number) as [number, number];
        // The wedge's own space, and the state page.
        if (frame < end || root === -2 || page === 2 ** 27 - 1) continue;
        expect([mode, flags & (PTE.R | PTE.W | PTE.X)], key).toEqual([1, PTE.X]);
        copies++;
      }
    }
    expect(copies).toBeGreaterThan(20);
  });

  test("is refused where the kernel was not afterburned", () => {
    const plain = readFileSync(new URL("../../experiments/guests/hutch/prebuilt/hutch.elf", import.meta.url));
    const make = () =>
      createMachine({ kernel: plain, memoryBytes: 16 << 20, rtcSeconds: 0, machineMode: false, profile: strict, technique: pre, logging: false }); // biome-ignore format: one machine
    expect(make).toThrow(
      "Cannot run pre as the kernel must have been afterburned: it has no section .trapline.sites; see trapline afterburn --help",
    );
  });
});
