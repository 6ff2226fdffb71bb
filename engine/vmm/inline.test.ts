/** Sites that work on the state page: equal to the bare machine at every step, whatever interrupts them (T4, T9, T16, T17). */
import { describe, expect, test } from "vitest";
import { eventsOf } from "../event/record.ts";
import { assemble } from "../isa/assemble.ts";
import { decode, decodeAt } from "../isa/decode.ts";
import { rewritingInline } from "../techniques/rewriting.ts";
import { boot, compare } from "./inline.fixture.ts";
import { formOf, formWords } from "./inline.ts";
import { jumpBy, StubPlaces, toStub, trapsInside } from "./stubs.ts";

/** Every form that works on the state page, with registers that a stub must give back. */
const FORMS = `
  li t0, 0x1234567
  li t1, -2
  li a0, 0x765
  csrw sscratch, t0
  csrr a1, sscratch
  csrw sscratch, zero
  csrrw a2, sscratch, a0
  csrrw a0, sscratch, a0
  csrrw t0, sscratch, t0
  csrrw t1, sscratch, zero
  csrwi scause, 0
  csrw scause, t1
  csrr a3, scause
  csrw stval, a0
  csrr t0, stval
  csrw sepc, t0
  csrr t0, sepc
  csrr a4, stvec
  csrr a5, satp
  csrr a6, sie
  csrr a7, sstatus
  csrr t0, sstatus
  csrrsi t0, sstatus, 2
  csrr s2, sstatus
  csrrci t1, sstatus, 2
  csrsi sstatus, 2
  csrci sstatus, 2
  csrrci zero, sstatus, 2
  csrrsi a0, sstatus, 2
  csrrci t0, sstatus, 2
  csrrci a1, sstatus, 2
  csrrsi a2, sstatus, 2
  csrrsi a3, sstatus, 2
  csrrci a4, sstatus, 2
`;
const COUNT = FORMS.trim().split("\n").length;
const HANDLED = `
  la t0, handler
  csrw stvec, t0
  li t0, 0x20
  csrw sie, t0
  ${FORMS}
  j .
  .align 2
  handler:
  csrr s3, scause
  csrr s4, sepc
  csrr s5, sstatus
  # The deadline is put off.
  csrw sie, zero
  addi s6, s6, 1
  sret
`;
/** Steps until the forms begin. */
const BEFORE = 27;

describe("sites that work on the state page", () => {
  test.each(["reference", "interpreter", "jit"] as const)(
    "do what the instruction does, once a step, in the %s",
    (tier) => {
      const exits = compare(HANDLED, BEFORE + COUNT + 10, -1, tier);
      // satp before there is a second address space, stvec and sie.
      expect(exits["rewritten-site"]).toBe(3);
      expect(exits["privileged-instruction"]).toBeUndefined();
    },
  );

  test.each([
    ["csrrw a2, sscratch, a0", 3],
    ["csrr a2, sscratch", 0],
    ["csrr a2, sepc", 3],
    ["csrr a2, sstatus", 4],
    ["csrsi sstatus, 2", 6],
    ["csrrci a2, sstatus, 2", 5],
    // Once opening, and then as they are open.
    ["csrrsi a2, sstatus, 2", 3 + 4 / 50],
  ])("count what they run beside the guest's own instruction: %s", (instruction, extra) => {
    const counts = (["reference", "interpreter", "jit"] as const).map((tier) => {
      const machine = boot(
        `li s1, 50\nagain: ${instruction}\naddi s1, s1, -1\nbnez s1, again\nj .`,
        rewritingInline,
        tier,
      );
      machine.run(BEFORE + 160);
      machine.checkpoint();
      let count = 0;
      for (const event of eventsOf(machine.log.drain()))
        if (event.kind === "vmm.work" && event.work === "stub") count += event.count;
      return count;
    });
    expect(counts).toEqual(Array(3).fill(50 * extra));
  });

  test("are left at their end by an interrupt that comes at any step, with the guest's own pc (T9)", () => {
    let taken = 0;
    for (let at = BEFORE - 5; at < BEFORE + COUNT + 8; at++) {
      compare(HANDLED, BEFORE + COUNT + 20, at);
      taken++;
    }
    expect(taken).toBeGreaterThan(COUNT);
  });

  test("leave the guest where they open interrupts for one that waits, and only there", () => {
    const waiting = compare(HANDLED, BEFORE + COUNT + 20, BEFORE);
    const idle = compare(HANDLED, BEFORE + COUNT + 20);
    // The site that opened them, and the handler's: sie and sret.
    expect(waiting["rewritten-site"]! - idle["rewritten-site"]!).toBe(3);
  });

  test("trap where somebody jumps into their inside, and the guest's own instruction is carried out", () => {
    // csrr t0, sscratch is 0x140022f3: its second half is a compressed instruction, c.addi4spn s0, sp, 512.
    compare(
      `li sp, 0x80400000
      la t0, site
      addi t0, t0, 2
      li s1, 3
      again: addi s1, s1, -1
      beqz s1, done
      jr t0
      site: csrr t0, sscratch
      la t0, site
      addi t0, t0, 2
      j again
      done: j .`,
      60,
    );
  });

  test("follow what the guest writes over them, to and fro", () => {
    compare(
      `la s0, site
      li s1, 0x140022f3
      li s2, 0x00128293
      li s3, 6
      li s4, 77
      csrw sscratch, s4
      loop: jal ra, site
      mv s5, s1
      mv s1, s2
      mv s2, s5
      sw s1, 0(s0)
      fence.i
      addi s3, s3, -1
      bnez s3, loop
      j .
      .align 2
      site: csrr t0, sscratch
      ret`,
      120,
    );
  });

  test("are as good in other code: half a page away, across pages, one right behind the other", () => {
    const many = Array.from({ length: 40 }, (_, i) => `csrrw a${i % 8}, sscratch, a${(i * 3) % 8}`).join("\n");
    compare(
      `li a1, 5\nj far\n.org 0x7f2\nfar: ${many}\nc.nop\n${many}\n.org 0xffe\ncsrrw a0, sscratch, a1\n${many}\nj .`,
      200,
    );
  });

  test("see what floating point leaves of FS, which the hart keeps", () => {
    const exits = compare(
      `li t0, 0x2000
      csrs sstatus, t0
      csrr a0, sstatus
      fmv.x.d a2, fa0
      csrr a1, sstatus
      fmv.d.x fa0, a2
      csrr a3, sstatus
      fadd.d fa0, fa0, fa0
      csrr a4, sstatus
      csrsi sstatus, 2
      csrr a5, sstatus
      csrrci a6, sstatus, 2
      j .`,
      BEFORE + 19,
    );
    expect(exits.exception).toBe(2);
  });

  test("show a guest that reaches for the end of its address space its own fault, not the state page", () => {
    compare(
      `la t0, handler
      csrw stvec, t0
      ld a0, -2048(zero)
      j .
      .align 2
      handler: csrr a1, scause
      csrr a2, stval
      csrr a3, sepc
      j .`,
      BEFORE + 12,
    );
  });

  test("trap where the guest has something of its own in the place of their stubs", () => {
    // The gigapage at 0x80000000 has RAM below the code.
    const source =
      "li t0, 1\nslli t0, t0, 31\nla t1, low\nslli t1, t1, 32\nsrli t1, t1, 32\njr t1\nlow: csrrw a0, sscratch, a1\nj .";
    expect(compare(source, BEFORE + 12)["rewritten-site"]).toBe(2);
  });
});

describe("what stands in for a site", () => {
  const decoded = (text: string) => decode(new DataView(assemble(text, { base: 0n }).bytes.buffer).getUint32(0, true))!;

  test.each([
    ...["csrw satp, t0", "csrrw t0, sepc, t1", "sret", "wfi", "csrs sstatus, t0", "csrsi sstatus, 8", "csrr a0, sip"],
    ...["csrrsi a0, sscratch, 1", "csrwi scause, 3", "csrr zero, sscratch", "csrs sepc, a0", "csrrw a0, satp, a0"],
  ])("is a trap for what acts on more than the state page, or may: %s", (text) => {
    expect(formOf(decoded(text))).toBeUndefined();
  });

  test("has a second half that is no instruction", () => {
    const places = new StubPlaces();
    for (let site = 0; site < 4094; site += 38) {
      const stub = places.take(site, 3, decodeAt);
      if (stub >= 0) expect(trapsInside(jumpBy(toStub(site, stub)), decodeAt), `${site}`).toBe(true);
    }
    for (const text of ["csrr a0, sscratch", "csrw scause, t6", "csrci sstatus, 2"]) {
      const site = decoded(text);
      const words = formWords(formOf(site)!, site);
      expect([words.length, trapsInside(words[0]!, decodeAt)], text).toEqual([1, true]);
    }
  });

  test("has a place of its own, until it is given back", () => {
    const places = new StubPlaces();
    const taken = new Map<number, number>();
    const take = (): number => places.take(8, 5, decodeAt);
    for (let stub = take(); stub >= 0; stub = take()) {
      for (let at = stub; at < stub + 20; at += 4) {
        expect(taken.get(at), `${stub}`).toBeUndefined();
        expect(at).toBeLessThan(4096);
        taken.set(at, stub);
      }
    }
    const [first = -1, second = -1] = new Set(taken.values());
    places.giveBack(second, 5);
    expect([take(), take()]).toEqual([second, -1]);
    places.giveBack(first, 5);
    // Room for one of five words has none for one of six.
    expect([places.take(8, 6, decodeAt), take()]).toEqual([-1, first]);
  });
});
