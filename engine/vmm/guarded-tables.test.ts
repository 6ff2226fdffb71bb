/** Page tables that the VMM guards for a ported kernel (docs/hypercalls.md). */
import { describe, expect, test } from "vitest";
import { x } from "../boot.fixture.ts";
import { eventsOf } from "../event/record.ts";
import {
  answered,
  call,
  DENIED,
  INVALID_ADDRESS,
  INVALID_PARAM,
  put,
  RAM_END,
  ran,
  TABLE,
} from "./hypercalls.fixture.ts";
import type { Vmm } from "./vmm.ts";

describe("page tables that the VMM guards", () => {
  const [ROOT, MIDDLE, LEAVES, BATCH] = [TABLE, TABLE + 0x1000n, TABLE + 0x2000n, 0x8031_0000n];
  const satp = (8n << 60n) | (ROOT >> 12n);
  const table = (at: bigint) => ((at >> 12n) << 10n) | 1n;
  const leaf = (at: bigint, flags = 0xc7n) => ((at >> 12n) << 10n) | flags;
  const A = 0x8034_0000n;
  const B = 0x8035_0000n;
  /** 0x40000000 is the first page of LEAVES, which shows A; RAM is itself. The kernel runs under the tables. */
  const guarded = `
    ${put(ROOT + 16n, 0x2000_00cfn)}${put(ROOT + 8n, table(MIDDLE))}${put(MIDDLE, table(LEAVES))}${put(LEAVES, leaf(A))}
    ${put(A, 0xaan)}${put(B, 0xbbn)}
    ${call("switch", satp)}
    ${[ROOT, MIDDLE, LEAVES].map((at) => call("guard", at)).join("")}
    li s4, 0x40000000
    ld s2, 0(s4)
  `;
  const batch = (...entries: (readonly [bigint, bigint])[]): string =>
    entries.map(([at, value], i) => put(BATCH + BigInt(16 * i), at) + put(BATCH + BigInt(16 * i + 8), value)).join("") +
    call("update", BATCH, entries.length);
  const READ = "mv s5, a0\nmv s6, a1\nld s3, 0(s4)\n";

  test("change by a batch, at once: no fence is needed", () => {
    const machine = ran(
      `${guarded}${batch([LEAVES, leaf(B)], [LEAVES + 8n, leaf(A)])}${READ}ld s7, 1024(s4)\nli t0, ${LEAVES}\nld s8, 0(t0)\n`,
    );
    expect([18, 19, 21, 22].map((register) => x(machine, register))).toEqual([0xaan, 0xbbn, 0n, 2n]);
    // The kernel reads back what it wrote.
    expect(x(machine, 24)).toBe(leaf(B));
  });

  test("change by a store too, which is an exit, and at once", () => {
    const machine = ran(`${guarded}${put(LEAVES, leaf(B))}${READ}`);
    expect([x(machine, 18), x(machine, 19)]).toEqual([0xaan, 0xbbn]);
    const reasons = [...eventsOf(machine.log.drain())].flatMap((event) =>
      event.kind === "vmm.exit" ? [event.reason] : [],
    );
    expect(reasons.filter((reason) => reason === "table-write")).toHaveLength(1);
    const loose = ran(`${guarded}${call("unguard", LEAVES)}${put(LEAVES, leaf(B))}${READ}`);
    // Without its guard a change needs a flush, as on any machine.
    expect(x(loose, 19)).toBe(0xaan);
    expect(
      x(
        ran(`${guarded}${call("unguard", LEAVES)}${put(LEAVES, leaf(B))}${call("flush", 1, 0x40000000, 1)}${READ}`),
        19,
      ),
    ).toBe(0xbbn);
    expect(
      x(ran(`${guarded}${call("unguard", LEAVES)}${put(LEAVES, leaf(B))}${call("flush", 2, satp)}${READ}`), 19),
    ).toBe(0xbbn);
    expect(
      x(ran(`${guarded}${call("unguard", LEAVES)}${put(LEAVES, leaf(B))}${call("flush", 1, 0, 513)}${READ}`), 19),
    ).toBe(0xbbn);
    expect(x(ran(`${guarded}${call("unguard", LEAVES)}${put(LEAVES, leaf(B))}${call("flush", 0)}${READ}`), 19)).toBe(
      0xbbn,
    );
  });

  test("a change of an entry that points further forgets what stood behind it", () => {
    const other = TABLE + 0x3000n;
    const machine = ran(
      `${guarded}${put(other, leaf(B))}${call("guard", other)}${batch([MIDDLE, table(other)])}${READ}`,
    );
    expect([x(machine, 18), x(machine, 19), x(machine, 21)]).toEqual([0xaan, 0xbbn, 0n]);
  });

  test("are never shown writable, to nobody", () => {
    const machine = ran(`${guarded}${put(LEAVES + 8n, leaf(A))}${put(A, 1n)}${READ}`);
    const vmm = machine.parts.execution as Vmm;
    let shown = 0;
    for (const { frame, flags } of vmm.shadow.leaves()) {
      if (![ROOT, MIDDLE, LEAVES].some((at) => Number(at >> 12n) === frame)) continue;
      shown++;
      expect(flags & 4).toBe(0);
    }
    expect(shown).toBe(0);
    const read = ran(`${guarded}li t0, ${LEAVES}\nld s7, 0(t0)\n`);
    expect(x(read, 23)).toBe(leaf(A));
    const seen = [...(read.parts.execution as Vmm).shadow.leaves()].filter(
      ({ frame }) => frame === Number(LEAVES >> 12n),
    );
    expect(seen.map(({ flags }) => flags & 6)).toEqual([2]);
  });

  test.each([
    ["a frame that is no table", [A, leaf(B)], DENIED],
    ["a place outside RAM", [RAM_END, leaf(B)], INVALID_ADDRESS],
    ["a place that is not aligned", [LEAVES + 4n, leaf(B)], INVALID_ADDRESS],
    ["a leaf that shows a table writable", [LEAVES, leaf(ROOT)], DENIED],
    ["a leaf outside RAM", [LEAVES, leaf(RAM_END)], DENIED],
    ["a leaf in the VMM's own memory", [LEAVES, leaf(RAM_END + 0x10000n)], DENIED],
    ["a table that is not guarded", [MIDDLE, table(A)], DENIED],
    ["reserved bits", [LEAVES, leaf(B) | (1n << 60n)], DENIED],
    ["a leaf that is written and not read", [LEAVES, leaf(B, 0xc5n)], DENIED],
  ] as const)("a batch is refused from %s on: nothing of it is written", (_, [at, value], error) => {
    const machine = ran(`${guarded}${batch([LEAVES + 16n, leaf(B)], [at, value], [LEAVES + 24n, leaf(B)])}${READ}`);
    const { memory } = machine.parts.platform;
    expect([x(machine, 21), x(machine, 22)]).toEqual([error, 1n]);
    expect(memory.read(Number(LEAVES) + 16, 8)).toBe(leaf(B));
    expect(memory.read(Number(LEAVES) + 24, 8)).toBe(0n);
    expect(x(machine, 19)).toBe(0xaan);
  });

  test("a leaf of a table that is only read, of a device, and none at all may stand there", () => {
    const machine = ran(
      `${guarded}${batch([LEAVES + 8n, leaf(ROOT, 0x43n)], [LEAVES + 16n, leaf(0x1000_0000n)], [LEAVES + 24n, 0n])}${READ}`,
    );
    expect([x(machine, 21), x(machine, 22)]).toEqual([0n, 3n]);
  });

  test.each([
    ["update", BATCH, 513, INVALID_PARAM],
    ["update", BATCH, -1, INVALID_PARAM],
    ["update", RAM_END - 8n, 1, INVALID_ADDRESS],
    ["guard", RAM_END, 0, INVALID_ADDRESS],
    ["guard", A + 8n, 0, INVALID_ADDRESS],
    ["guard", RAM_END - 8n, 0, INVALID_ADDRESS],
    ["unguard", A, 0, INVALID_PARAM],
    ["unguard", -4096, 0, INVALID_ADDRESS],
    ["flush", 3, 0, INVALID_PARAM],
    ["flush", 2, 0, INVALID_PARAM],
  ] as const)("%s of %s, %s is refused", (name, a0, a1, error) => {
    expect(answered(name, a0, a1)[0]).toBe(error);
  });
});
