/** T17: the state page and stubs against a guest that reaches for their addresses, or maps them itself. */
import { describe, expect, test } from "vitest";
import type { Tier } from "../hart/hart.ts";
import { rewritingInline } from "../techniques/rewriting.ts";
import { boot, compare } from "./inline.fixture.ts";

const TIERS: readonly Tier[] = ["reference", "interpreter", "jit"];

/** A guest whose sites have used the page, often enough to be compiled, before its own code does something. */
const used = (does: string): string => `
  li s1, 60
  li s2, -8
  csrw sscratch, s1
  again: csrr a1, sscratch
  csrw sscratch, a1
  csrrw a2, sscratch, a1
  addi s1, s1, -1
  bnez s1, again
  foreign: ${does}
  j .
`;

describe("a guest that reaches for the state page by a pointer", () => {
  test.each([
    "ld a0, 0(s2)",
    "lbu a0, 7(s2)",
    "lw a0, 1(s2)",
    "sd a0, 0(s2)",
    "sb a0, 3(s2)",
    "amoadd.d a0, a1, (s2)",
    "lr.d a0, (s2)",
    "fld fa0, 0(s2)",
    "li a0, 0\nld a0, -1000(a0)",
    "li s2, -4\nld a0, 0(s2)",
  ])("stops with shared-page.foreign-access, in every tier: %s", (does) => {
    for (const tier of TIERS) {
      const machine = boot(used(`li a0, 0x6000\ncsrs sstatus, a0\n${does}`), rewritingInline, tier, 3);
      expect(machine.run(2000), tier).toMatchObject({ kind: "end", reason: "stopped" });
      expect(machine.end?.message, tier).toMatch(
        /^shared-page\.foreign-access: the guest reaches for the state page's address itself, at 0xffffffff802\w+; use --technique rewriting:trap$/,
      );
    }
  });

  test.each(TIERS)("relative to x0, as the VMM's own code, has its own fault: %s", (tier) => {
    const handled = `la t0, handler\ncsrw stvec, t0\n${used("ld a0, -2048(zero)\nsd a0, -8(zero)")}
      .align 2
      handler: csrr s3, scause\ncsrr s4, stval\ncsrr s5, sepc\naddi s5, s5, 4\ncsrw sepc, s5\nsret`;
    compare(handled, 400, -1, tier);
  });

  test.each(TIERS)("is not taken for one where it only comes close, and runs on: %s", (tier) => {
    compare(used("li a0, 0x80400000\nsd a0, -8(a0)\nld a1, -8(a0)"), 400, -1, tier);
  });
});

/** Page 0xffffffff_801c1000, where the code's stubs are, at frame 0x80500: its entry in a table of its own, and that table's. */
/** The table is read first, which is no reason to let it be written unseen. */
const LEAF = "li t0, 0x80302e08\nli t1, 0x201400cf\nld t2, 0(t0)\nsd t1, 0(t0)\n";
const TABLE = "li t0, 0x80301000\nli t1, 0x200c0801\nld t2, 0(t0)\nsd t1, 0(t0)\n";
const SITES = "csrrw a0, sscratch, a1\ncsrrw a1, sscratch, a0\ncsrr a2, sscratch\n";

describe("a guest that maps the address of stubs, without a fence", () => {
  const orders = { "the leaf first": [LEAF, TABLE], "the table first": [TABLE, LEAF] };
  const firsts = {
    reads: "li s3, -1\nslli s3, s3, 32\nli t1, 0x801c1ff\nslli t1, t1, 4\nor s3, s3, t1\nld a3, 0(s3)\n",
    jumps: "",
  };
  /** Its own code there: an addition and a return at each place, stubs or not. */
  const fill =
    "li t0, 0x80500000\nli t1, 0x80828522\nli t1, 0x80820505\nli t2, 512\nfill: sw t1, 0(t0)\nsw t1, 4(t0)\naddi t0, t0, 8\naddi t2, t2, -1\nbnez t2, fill\n";
  const jump = (offset: number): string =>
    `li s4, -1\nslli s4, s4, 32\nli t1, ${0x801c_1000 + offset}\nslli t1, t1, 32\nsrli t1, t1, 32\nor s4, s4, t1\njalr s4\n`;

  test.each(Object.keys(orders).flatMap((order) => Object.keys(firsts).map((first) => ({ order, first }))))(
    "finds its own data and code there, and its sites as they were: $order, and $first first",
    ({ order, first }) => {
      const maps = orders[order as keyof typeof orders];
      const source = `
        ${fill}
        li a1, 5
        ${SITES}${maps[0]}${SITES}${maps[1]}
        ${firsts[first as keyof typeof firsts]}
        ${jump(0)}${SITES}${jump(4)}${SITES}${jump(0x400)}
        sfence.vma
        ${SITES}
        # Gone again: the sites have their stubs back.
        ${TABLE.replace("0x200c0801", "0")}
        sfence.vma
        ${SITES}
        j .
      `;
      const exits = compare(source, 2700);
      // Two stores to tables that leave the stubs' address unmapped, and one that makes it so.
      expect(exits["code-access"]).toBe(order === "the leaf first" ? 1 : 2);
      // Two swaps at a time, three times: they trap where they have no stubs. satp, and the fences.
      expect(exits["rewritten-site"]).toBe(2 * 3 + 1 + 2);
    },
  );
});
