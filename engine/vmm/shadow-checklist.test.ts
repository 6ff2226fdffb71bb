/** Cases in which shadow paging of other VMMs has gone wrong (docs/checklist.md, section E), under every way of it, beside the bare machine. */
import { describe, expect, test } from "vitest";
import { boot, entry, LEAF, PAGING, SHUTDOWN, x } from "../boot.fixture.ts";
import { PTE } from "../hart/translations.ts";
import { svadu } from "../isa/profile.ts";
import type { Machine } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import { A, all, B, named, PAGES, put, READ, ran } from "./shadow.fixture.ts";
import { brokenShadow } from "./shadow-invariants.ts";
import type { Technique } from "./technique.ts";

/** A second way to the table of leaves: 0x40200000 is what 0x40000000 is. */
const SHARED = "li t6, 0x80301000\nli t1, 0x200c0801\nsd t1, 8(t6)\nli a4, 0x40200000\n";
const registers = (machine: Machine, ...numbers: readonly number[]) => numbers.map((number) => x(machine, number));

describe.each(all)("$name", ({ technique }) => {
  test("64: a table with two parents is one table, and only its leaves permit anything", () => {
    const change = entry(0, B, LEAF.read);
    const { machine } = ran(
      `${PAGES}${SHARED}${READ}ld s4, 0(a4)\n${change}sfence.vma a4\nld s5, 0(a4)\nld s6, 0(t3)\nsfence.vma t3\nld s7, 0(t3)\nsd t3, 0(a4)\nmv s8, s11\nsd t3, 0(t3)`,
      technique,
    );
    expect(registers(machine, 20, 21, 22, 23, 24, 27)).toEqual([7n, 9n, 7n, 9n, 15n, 15n]);
    // What is not a leaf says nothing of permissions: U, A and D are reserved there.
    for (const bit of [PTE.U, PTE.A, PTE.D]) {
      const pointer = `li t6, 0x80301000\nli t1, ${0x200c_0801 | bit}\nsd t1, 8(t6)\nli a4, 0x40200000\nld s4, 0(a4)\n`;
      expect(x(ran(`${PAGES}${READ}${pointer}`, technique).machine, 27)).toBe(13n);
    }
  });

  test("65: a new link is seen without a fence, and an old one shows what was read through it until a fence, and nothing else", () => {
    const second = `${put(0x8030_3000, (B / 4096) * 1024 + LEAF.readWrite)}${put(0x8030_3008, (A / 4096) * 1024 + LEAF.readWrite)}`;
    // The handler uses t6.
    const fresh = "li a7, 0x80301000\nli a4, 0x40200000\nld s4, 0(a4)\nli t1, 0x200c0c01\nsd t1, 8(a7)\nld s4, 0(a4)\n";
    // Page 0 is held; page 1 of the other table is not.
    const moved = "li t1, 0x200c0c01\nsd t1, 0(a7)\nld s5, 0(t3)\nld s6, 0(a3)\nsfence.vma\nld s7, 0(t3)\n";
    const { machine } = ran(`${PAGES}${second}ld s2, 0(t3)\n${fresh}${moved}`, technique);
    expect(registers(machine, 20, 21, 22, 23)).toEqual([9n, 7n, 7n, 9n]);
  });

  test("66: two superpages of one frame permit each its own", () => {
    const two = `li t6, 0x80301000\nli t1, 0x20000043\nsd t1, 8(t6)\nli t1, 0x200000c7\nsd t1, 16(t6)\nli a4, 0x40240000\nli a5, 0x40440000\n`;
    const { machine } = ran(
      `${PAGES}${two}ld s4, 0(a4)\nld s5, 0(a5)\nsd t3, 0(a5)\nsd t3, 0(a4)\nmv s6, s11\nld s7, 0(a4)\n`,
      technique,
    );
    expect(registers(machine, 20, 21, 22, 23)).toEqual([7n, 7n, 15n, 0x4000_0000n]);
  });

  test("67: a superpage over page tables gives no way to change them unseen", () => {
    // 0x40200000 maps the two megabytes from 0x80200000 on, the tables among them.
    const over = "li t6, 0x80301000\nli t1, 0x200800cf\nsd t1, 8(t6)\nli a4, 0x40302000\nld s4, 0(a4)\n";
    const change = `li t1, ${(B / 4096) * 1024 + LEAF.readWrite}\nsd t1, 0(a4)\nld s5, 0(t3)\nsfence.vma\nld s6, 0(t3)\nld s7, 0(t0)\n`;
    const run = ran(`${PAGES}${READ}${over}${change}`, technique);
    expect(registers(run.machine, 21, 22)).toEqual([7n, 9n]);
    expect(x(run.machine, 23)).toBe(BigInt((B / 4096) * 1024 + LEAF.readWrite));
  });

  test("68: the machine's own marks of A and D, which lie between a walk and its fill, are in what is filled", () => {
    const marks = `${entry(0, A, 0x07)}ld s2, 0(t3)\nld s4, 0(t0)\nsd t3, 8(t3)\nld s5, 0(t0)\nsfence.vma\nsd t3, 8(t3)\n`;
    const { machine } = ran(`${PAGES}${marks}`, technique, { profile: svadu });
    expect(registers(machine, 20, 21).map((bits) => bits & 0xffn)).toEqual([0x47n, 0xc7n]);
  });

  test("69: tables that are their own children, at every level", () => {
    const loops =
      "li t6, 0x80300000\nli t1, 0x200c0001\nsd t1, 0(t6)\nli t1, 0x200c0401\nli t6, 0x80301000\nsd t1, 16(t6)\n";
    const reach =
      "li t6, 0\nld s4, 0(t6)\nli t6, 0x1000\nld s5, 8(t6)\nli t6, 0x40400000\nld s6, 0(t6)\nsfence.vma\nld s6, 0(t6)\nli t6, 0x40401000\nsd t6, 0(t6)\n";
    ran(`${PAGES}${READ}${loops}${reach}`, technique);
  });

  test("70: a root that cannot be is not in force afterwards", () => {
    // Mode 5 is none, so nothing is written; an ASID is written and not kept.
    const bad = "csrr s4, satp\nli t1, 5\nslli t1, t1, 60\nor t1, t1, s4\ncsrw satp, t1\ncsrr s5, satp\nld s6, 0(t3)\n";
    const asid = "li t1, 0xffff\nslli t1, t1, 44\nor t1, t1, s4\ncsrw satp, t1\ncsrr s7, satp\nld s8, 0(a3)\n";
    const { machine } = ran(`${PAGES}${READ}${bad}${asid}`, technique);
    expect(x(machine, 21)).toBe(x(machine, 20));
    expect(x(machine, 23)).toBe(x(machine, 20));
    expect(registers(machine, 22, 24)).toEqual([7n, 9n]);
  });

  test.each([
    ["a hole", 0x4000_0000],
    ["the first frame behind RAM, which is the VMM's", 0x8040_0000],
    ["a frame of the VMM's in its middle", 0x8200_0000],
    ["the last frame that there can be", 2 ** 56 - 4096],
    ["the frame in front of RAM", 0x7fff_f000],
  ])("73: a leaf of %s gives an access fault, whatever the access, and so does a table there", (_, physical) => {
    const bits = BigInt(physical / 4096) * 1024n;
    const leaf = `li t1, ${bits + 0xcfn}\nsd t1, 0(t0)\nld s4, 0(t3)\nmv s4, s11\nsd t3, 0(t3)\nmv s5, s11\namoadd.d s6, t3, (t3)\nmv s6, s11\n`;
    const table = `li t6, 0x80301000\nli t1, ${bits + 1n}\nsd t1, 8(t6)\nli a4, 0x40200000\nld s7, 0(a4)\nmv s7, s11\n`;
    expect(registers(ran(`${PAGES}${leaf}${table}`, technique).machine, 20, 21, 22, 23)).toEqual([5n, 7n, 7n, 5n]);
  });

  test("73: the last byte of RAM is RAM, and an access over it is not", () => {
    const last = `${entry(0, 0x803f_f000, LEAF.readWrite)}li t6, 0x40000ff8\nsd t3, 0(t6)\nlb s4, 7(t6)\n${entry(8, 0x1000_0000, LEAF.readWrite)}ld s5, 4(t6)\nmv s5, s11\n`;
    expect(x(ran(`${PAGES}${last}`, technique).machine, 21)).toBe(5n);
  });

  test("74: a global page is its own address space's", () => {
    // The second root has RAM and nothing else.
    const other = `${put(0x8030_5010, 0x2000_00cf)}csrr s4, satp\naddi s5, s4, 5\n`;
    const global = entry(0, A, LEAF.readWrite | PTE.G);
    const { machine } = ran(
      `${PAGES}${other}${global}ld s2, 0(t3)\ncsrw satp, s5\nld s3, 0(t3)\nmv s6, s11\ncsrw satp, s4\nld s7, 0(t3)\n`,
      technique,
    );
    expect(registers(machine, 18, 22, 23)).toEqual([7n, 13n, 7n]);
  });

  test("75: the guest reads back each entry of a batch as it wrote it", () => {
    const batch = Array.from(
      { length: 12 },
      (_, i) =>
        `${entry(64 + 8 * i, A + 4096 * i, LEAF.read)}ld t2, ${64 + 8 * i}(t0)\nxor t1, t1, t2\nor s8, s8, t1\n`,
    );
    const { machine } = ran(`li s8, 0\n${PAGES}${READ}${batch.join("")}sfence.vma\n${READ}`, technique);
    expect(x(machine, 24)).toBe(0n);
  });
});

/**
 * For each of the 256 flag bytes, SUM and MXR: what comes of a load, a store and a fetch, in supervisor and in user mode. Causes lie from 0x80100000 on.
 * The page holds `ret`; an access of the user's is a stub on a user page, and ends by ecall.
 */
const COMBINATIONS = `
  la t6, handler
  csrw stvec, t6
  ${PAGING}
  li a2, ${A}
  li a3, 0x8067
  sd a3, 0(a2)
  la a3, stubs
  srli a3, a3, 12
  slli a3, a3, 10
  addi a3, a3, 0xdf
  sd a3, 8(t0)
  li s0, 0x80100000
  li s1, 0
  li t3, 0x40000000
envs:
  srli a4, s1, 8
  slli a4, a4, 18
  li a5, 0xc0000
  csrc sstatus, a5
  csrs sstatus, a4
  li a4, ${(A / 4096) * 1024}
  andi a5, s1, 255
  or a4, a4, a5
  sd a4, 0(t0)
  sfence.vma
  li s11, 0
  la s9, n1
  ld a6, 0(t3)
n1: sb s11, 0(s0)
  li s11, 0
  la s9, n2
  sd a3, 8(t3)
n2: sb s11, 1(s0)
  li s11, 0
  la s9, n3
  jalr ra, 0(t3)
n3: sb s11, 2(s0)
  li s7, 0
user:
  li s11, 0
  la s9, n4
  li a6, 0x100
  csrc sstatus, a6
  li a6, 0x40001000
  add a6, a6, s7
  csrw sepc, a6
  sret
n4: add a6, s0, s7
  srli a7, s7, 3
  add a7, s0, a7
  sb s11, 3(a7)
  addi s7, s7, 8
  li a6, 24
  bltu s7, a6, user
  addi s0, s0, 8
  addi s1, s1, 1
  li a6, 1024
  bltu s1, a6, envs
  ${SHUTDOWN}
.align 2
handler:
  csrr s11, scause
  csrw sepc, s9
  li s10, 0x100
  csrs sstatus, s10
  sret
.balign 4096
.option norvc
stubs:
  ld a6, 0(t3)
  ecall
  sd a3, 8(t3)
  ecall
  jalr ra, 0(t3)
  ecall
`;

describe("71: all combinations of a leaf's bits, SUM and MXR, for every access in both modes", () => {
  const causes = (technique: Technique): { readonly bytes: Uint8Array; readonly machine: Machine } => {
    const machine = boot(COMBINATIONS, { technique, logging: false });
    expect(machine.run(3_000_000)).toMatchObject({ kind: "end", reason: "poweroff" });
    return { bytes: machine.parts.platform.memory.view(0x8010_0000, 8 * 1024).slice(), machine };
  };
  const bare = causes(native);

  test("are as the specification has it on the bare machine", () => {
    for (let n = 0; n < 1024; n++) {
      const [sum, mxr] = [(n & 256) !== 0, (n & 512) !== 0];
      const has = (bit: number) => (n & bit) !== 0;
      const ok = has(PTE.V) && (has(PTE.R) || !has(PTE.W)) && (has(PTE.R) || has(PTE.X)) && has(PTE.A);
      for (const [user, at] of [
        [false, 0],
        [true, 3],
      ] as const) {
        const reaches = has(PTE.U) ? user || sum : !user;
        const load = ok && reaches && (has(PTE.R) || (mxr && has(PTE.X)));
        const store = ok && reaches && has(PTE.W) && has(PTE.D);
        const fetch = ok && (has(PTE.U) ? user : !user) && has(PTE.X);
        const done = user ? 8 : 0;
        const expected = [load ? done : 13, store ? done : 15, fetch ? done : 12];
        const where = `flags 0x${(n & 255).toString(16)}, SUM ${sum}, MXR ${mxr}, ${user ? "user" : "supervisor"}`;
        expect([...bare.bytes.subarray(8 * n + at, 8 * n + at + 3)], where).toEqual(expected);
      }
    }
  });

  test.each(all)("are the same under $name", ({ technique }) => {
    const { bytes, machine } = causes(technique);
    expect(bytes.findIndex((byte, i) => byte !== bare.bytes[i])).toBe(-1);
    expect(machine.digest()).toEqual(bare.machine.digest());
    expect(brokenShadow(machine)).toBeUndefined();
  });
});

test("a hostile guest's fences and stores are work in step with its exits", () => {
  // Many pages, and many fences and stores that take out none of them: what each does must not grow with what there is.
  const pages = 400;
  const map = `li a4, 0\nmap: li t1, ${A / 4}\nori t1, t1, ${LEAF.readWrite}\nslli t2, a4, 3\nadd t2, t2, t0\nsd t1, 0(t2)\naddi a4, a4, 1\nli t2, ${pages}\nblt a4, t2, map\n`;
  const touch = `li a4, 0\ntouch: slli t2, a4, 12\nadd t2, t2, t3\nld s2, 0(t2)\naddi a4, a4, 1\nli t2, ${pages}\nblt a4, t2, touch\n`;
  const fences = `li a4, 1000\nagain: sfence.vma a3\nsd zero, 0(a5)\naddi a4, a4, -1\nbnez a4, again\n`;
  const flood = `${PAGING}li t3, 0x40000000\nli a3, 0x401ff000\nli a5, 0x80302ff8\n${map}${touch}${fences}${SHUTDOWN}`;
  for (const { technique } of [{ technique: full }, { technique: named("traced") }, { technique: named("unsync") }]) {
    const machine = boot(flood, { technique });
    const { shadow } = machine.parts.execution as unknown as {
      shadow: { dropRange: (...args: number[]) => number; dropPage: (...args: number[]) => number };
    };
    let calls = 0;
    for (const name of ["dropRange", "dropPage"] as const) {
      const original = shadow[name].bind(shadow);
      shadow[name] = (...args) => {
        calls++;
        return original(...args);
      };
    }
    expect(machine.run(200_000)).toMatchObject({ kind: "end", reason: "poweroff" });
    expect(calls).toBeLessThan(4000);
    expect(brokenShadow(machine)).toBeUndefined();
  }
});
