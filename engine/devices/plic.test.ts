/** Chapters are those of the RISC-V Platform-Level Interrupt Controller Specification 1.0.0. */
import { describe, expect, test } from "vitest";
import { BusError } from "../machine/device.ts";
import { Plic } from "./plic.ts";

const MACHINE = 0;
const SUPERVISOR = 1;

function bench() {
  const line = () => ({
    asserted: false,
    set(level: boolean) {
      this.asserted = level;
    },
  });
  const lines = [line(), line()] as const;
  const plic = new Plic({ sources: 95, contexts: lines });
  const get = (offset: number): number => Number(plic.read(offset, 4));
  const put = (offset: number, value: number): void => plic.write(offset, 4, BigInt(value));
  return {
    plic,
    lines,
    get,
    put,
    priority: (source: number, value: number) => put(4 * source, value),
    enable: (context: number, source: number) => {
      const word = 0x2000 + 0x80 * context + 4 * Math.floor(source / 32);
      put(word, get(word) | (2 ** (source % 32)));
    },
    threshold: (context: number, value: number) => put(0x20_0000 + 0x1000 * context, value),
    claim: (context: number) => get(0x20_0004 + 0x1000 * context),
    complete: (context: number, source: number) => put(0x20_0004 + 0x1000 * context, source),
    pending: (source: number) => ((get(0x1000 + 4 * Math.floor(source / 32)) >>> (source % 32)) & 1) === 1,
    raise: (source: number) => plic.source(source).set(true),
    lower: (source: number) => plic.source(source).set(false),
  };
}

test("an interrupt's life: raised, notified, claimed, served, completed (chapters 6 to 9)", () => {
  const { priority, enable, raise, lower, claim, complete, pending, lines } = bench();
  priority(10, 1);
  enable(SUPERVISOR, 10);
  raise(10);
  expect(pending(10)).toBe(true);
  expect(lines.map(({ asserted }) => asserted)).toEqual([false, true]);
  expect(claim(SUPERVISOR)).toBe(10);
  expect(pending(10)).toBe(false);
  expect(lines[SUPERVISOR].asserted).toBe(false);
  lower(10);
  complete(SUPERVISOR, 10);
  expect(lines[SUPERVISOR].asserted).toBe(false);
  expect(claim(SUPERVISOR)).toBe(0);
});

describe("the level-triggered gateway (chapter 1)", () => {
  test("a line that is still high at completion interrupts again", () => {
    const { priority, enable, raise, claim, complete, lines } = bench();
    priority(10, 1);
    enable(SUPERVISOR, 10);
    raise(10);
    claim(SUPERVISOR);
    expect(lines[SUPERVISOR].asserted).toBe(false);
    complete(SUPERVISOR, 10);
    expect(lines[SUPERVISOR].asserted).toBe(true);
  });

  test("a line that falls and rises in service is forwarded at completion only", () => {
    const { priority, enable, raise, lower, claim, complete, pending } = bench();
    priority(10, 1);
    enable(SUPERVISOR, 10);
    raise(10);
    claim(SUPERVISOR);
    lower(10);
    raise(10);
    expect(pending(10)).toBe(false);
    complete(SUPERVISOR, 10);
    expect(pending(10)).toBe(true);
  });

  test("a request that was forwarded stays when its line falls", () => {
    const { raise, lower, pending } = bench();
    raise(10);
    lower(10);
    expect(pending(10)).toBe(true);
  });
});

describe("priorities and thresholds (chapters 4 and 7)", () => {
  test("the highest priority goes first, then the lowest number", () => {
    const { priority, enable, raise, claim } = bench();
    for (const [source, value] of [
      [3, 1],
      [40, 7],
      [41, 7],
      [95, 2],
    ] as const) {
      priority(source, value);
      enable(MACHINE, source);
      raise(source);
    }
    expect([1, 2, 3, 4, 5].map(() => claim(MACHINE))).toEqual([40, 41, 95, 3, 0]);
  });

  test("priority 0 never interrupts", () => {
    const { enable, raise, claim, lines } = bench();
    enable(MACHINE, 5);
    raise(5);
    expect(lines[MACHINE].asserted).toBe(false);
    expect(claim(MACHINE)).toBe(0);
  });

  test("a threshold masks priorities up to its own, for the notification only", () => {
    const { priority, enable, raise, threshold, claim, lines } = bench();
    priority(5, 3);
    enable(MACHINE, 5);
    threshold(MACHINE, 3);
    raise(5);
    expect(lines[MACHINE].asserted).toBe(false);
    threshold(MACHINE, 2);
    expect(lines[MACHINE].asserted).toBe(true);
    threshold(MACHINE, 7);
    expect(claim(MACHINE)).toBe(5);
  });

  test("priorities and thresholds hold 3 bits", () => {
    const { priority, threshold, get } = bench();
    priority(5, 0xffff_ffff);
    threshold(SUPERVISOR, 0xffff_ffff);
    expect([get(4 * 5), get(0x20_1000)]).toEqual([7, 7]);
  });
});

describe("contexts (chapters 6, 8 and 9)", () => {
  test("one request goes to each context that enables it; the first claim takes it", () => {
    const { priority, enable, raise, claim, lines } = bench();
    priority(1, 1);
    enable(MACHINE, 1);
    enable(SUPERVISOR, 1);
    raise(1);
    expect(lines.map(({ asserted }) => asserted)).toEqual([true, true]);
    expect(claim(SUPERVISOR)).toBe(1);
    expect(lines.map(({ asserted }) => asserted)).toEqual([false, false]);
    expect(claim(MACHINE)).toBe(0);
  });

  test.each([5, 0, 96, 0xffff_ffff])("completing %i, which the context does not serve, is ignored", (source) => {
    const { priority, enable, raise, claim, complete, lines } = bench();
    priority(1, 1);
    enable(MACHINE, 1);
    raise(1);
    claim(MACHINE);
    complete(MACHINE, source);
    complete(SUPERVISOR, 1); // Not enabled there.
    expect(lines[MACHINE].asserted).toBe(false);
    complete(MACHINE, 1);
    expect(lines[MACHINE].asserted).toBe(true);
  });
});

test("sources that do not exist have no bits: neither 0 nor what lies above the last", () => {
  const { get, put } = bench();
  for (const word of [0, 1, 2, 3]) put(0x2000 + 4 * word, 0xffff_ffff);
  expect([0, 1, 2, 3].map((word) => get(0x2000 + 4 * word))).toEqual([0xffff_fffe, 0xffff_ffff, 0xffff_ffff, 0]);
  put(0, 7);
  put(4 * 96, 7);
  expect([get(0), get(4 * 96)]).toEqual([0, 0]);
});

test("a last word that is not full has bits for its sources only", () => {
  const plic = new Plic({ sources: 40, contexts: [{ set: () => {} }] });
  plic.write(0x2004, 4, 0xffff_ffffn);
  expect(plic.read(0x2004, 4)).toBe(0x1ffn);
});

test("pending bits are read-only, and reserved words read 0 and ignore writes", () => {
  const { put, get, pending, raise } = bench();
  raise(3);
  put(0x1000, 0);
  expect(pending(3)).toBe(true);
  for (const offset of [0x1ffc, 0x2100, 0x1f_fffc, 0x20_0008, 0x20_2004, 0x5f_fffc]) {
    put(offset, 0xffff_ffff);
    expect(get(offset)).toBe(0);
  }
});

test.each([
  [0, 1],
  [0, 8],
  [2, 4],
])("an access at %i of %i bytes reaches no register", (offset, size) => {
  const { plic } = bench();
  expect(() => plic.read(offset, size)).toThrow(BusError);
  expect(() => plic.write(offset, size, 0n)).toThrow(BusError);
});

test.each([0, 96, -1, 1.5])("there is no source %d to connect to", (id) => {
  expect(() => bench().plic.source(id)).toThrow(`Cannot connect to plic as sources are 1 to 95: ${id}`);
});

test("a reset forgets what was programmed; a line that is still high is forwarded anew", () => {
  const { plic, priority, enable, raise, claim, pending, lines, get } = bench();
  priority(10, 1);
  enable(MACHINE, 10);
  raise(10);
  claim(MACHINE);
  plic.reset();
  expect([get(40), get(0x2000)]).toEqual([0, 0]);
  expect(pending(10)).toBe(true);
  expect(lines[MACHINE].asserted).toBe(false);
});
