import { describe, expect, test } from "vitest";
import { csrsOf } from "../isa/csr.ts";
import { extended, type Profile, regions, strict, sv48, svadu } from "../isa/profile.ts";
import { MachineMemory } from "./memory.ts";
import { Position } from "./position.ts";
import { MACHINE, Privileged } from "./privileged.ts";

const ALL = 2n ** 64n - 1n;
/** What a register holds after a write of `value` over `old`. */
type Rule = (value: bigint, old: bigint) => bigint;
const bits =
  (mask: bigint, fixed = 0n): Rule =>
  (value) =>
    (value & mask) | fixed;
const readOnly =
  (value: bigint): Rule =>
  () =>
    value;
/** Keeps a field as it was where the rule refuses its new value. */
const unless =
  (refused: (value: bigint) => boolean, field: bigint, rule: Rule): Rule =>
  (value, old) =>
    rule(refused(value) ? (value & ~field) | (old & field) : value, old);

const WRITABLE_STATUS = 0x7e_79aan;
const status = (mask: bigint, fixed: bigint): Rule => {
  const plain = unless((value) => (value >> 11n) % 4n === 2n, 3n << 11n, bits(mask));
  return (value, old) => {
    const next = plain(value, old) | fixed;
    // SD: whether FS is Dirty.
    return (next >> 13n) % 4n === 3n ? next | (1n << 63n) : next;
  };
};
const vector = unless((value) => value % 4n > 1n, ALL, bits(ALL - 2n));
const satp = (modes: readonly bigint[]) =>
  unless((value) => !modes.includes(value >> 60n), ALL, bits((15n << 60n) | (2n ** 44n - 1n)));
const environment = (mask: bigint) => unless((value) => (value >> 4n) % 4n === 2n, 3n << 4n, bits(mask));
/** Eight bytes, of which each stays as it was where it would have W without R. Locks are other tests' business. */
const configurations: Rule = (value, old) => {
  let next = 0n;
  for (let shift = 0n; shift < 64n; shift += 8n) {
    const byte = (value >> shift) & 0x1fn;
    next |= (byte % 4n === 2n ? (old >> shift) & 0x1fn : byte) << shift;
  }
  return next;
};

/** Every register that is not read-only by its number, and what each of its bits does (privileged specification, "WARL"). */
const RULES: Readonly<Record<string, Rule>> = {
  fflags: bits(0x1fn),
  frm: bits(7n),
  fcsr: bits(0xffn),
  sstatus: status(0xc_6122n, 0x2_0000_0000n),
  sie: bits(0x222n),
  stvec: vector,
  scounteren: bits(7n),
  senvcfg: bits(1n),
  sscratch: bits(ALL),
  sepc: bits(ALL - 1n),
  scause: bits(ALL),
  stval: bits(ALL),
  sip: bits(2n),
  satp: satp([0n, 8n]),
  mstatus: status(WRITABLE_STATUS, 0xa_0000_0000n),
  misa: readOnly(0x8000_0000_0014_112dn),
  medeleg: bits(0xb3ffn),
  mideleg: bits(0x222n),
  mie: bits(0xaaan),
  mtvec: vector,
  mcounteren: bits(7n),
  menvcfg: bits(0x8000_0000_0000_0001n),
  mcountinhibit: readOnly(0n),
  mscratch: bits(ALL),
  mepc: bits(ALL - 1n),
  mcause: bits(ALL),
  mtval: bits(ALL),
  mip: bits(0x222n),
  stimecmp: bits(ALL),
  pmpcfg0: configurations,
  pmpcfg2: configurations,
  mcycle: bits(ALL),
  minstret: bits(ALL),
};
const ruleOf = (name: string): Rule | undefined => {
  if (/^pmpaddr\d+$/.test(name)) return bits(2n ** 54n - 1n);
  if (/^mhpm(counter|event)\d+$/.test(name)) return readOnly(0n);
  return RULES[name];
};

/** All ones, none, each bit alone, each bit missing, and the same in an order that leaves something behind. */
const WALK = [ALL, 0n, ...Array.from({ length: 64 }, (_, i) => 1n << BigInt(i)), ALL, ...Array.from({ length: 64 }, (_, i) => ALL - (1n << BigInt(i))), 0n, 0x5555_5555_5555_5555n, 0xaaaa_aaaa_aaaa_aaaan]; // biome-ignore format: a list

function machine(profile: Profile) {
  const position = new Position();
  const guest = new Privileged({ memory: new MachineMemory(4096, 0), position, profile });
  guest.mode = MACHINE;
  const words = (value: bigint): [number, number] => [Number(value & 0xffff_ffffn), Number(value >> 32n)];
  return {
    guest,
    write(number: number, value: bigint) {
      guest.write(number, ...words(value));
      // The write of minstret is what this instruction leaves behind.
      position.retire(1);
    },
    read(number: number): bigint {
      guest.read(number);
      return (BigInt(guest.high >>> 0) << 32n) | BigInt(guest.low >>> 0);
    },
    position,
  };
}

/** What reads back otherwise than its rule says; and registers without a rule. */
function faults(profile: Profile, rules: (name: string) => Rule | undefined): string[] {
  const found: string[] = [];
  for (const { name, number, readOnly: fixed } of csrsOf(profile.extensions)) {
    if (fixed) continue;
    const rule = rules(name);
    if (rule === undefined) {
      found.push(`${name} has no rule`);
      continue;
    }
    const { write, read } = machine(profile);
    // What sie and sip show is delegated.
    write(0x303, ALL);
    // A lock would end the walk of a PMP register: its bit is left out.
    const mask = name.startsWith("pmpcfg") ? 0x7f7f_7f7f_7f7f_7f7fn : ALL;
    for (const value of WALK) {
      const old = read(number);
      write(number, value & mask);
      const now = (name === "mcycle" ? read(number) - 1n : read(number)) & ALL;
      const right = rule(value & mask, old);
      if (now !== right)
        found.push(`${name} of 0x${value.toString(16)} is 0x${now.toString(16)}, not 0x${right.toString(16)}`);
    }
  }
  return found;
}

describe("every bit of every CSR", () => {
  test("reads back as its WARL rule says, on the strict machine", () => {
    expect(faults(strict, ruleOf)).toEqual([]);
  });

  test("does so with Sv48, where satp takes mode 9 too", () => {
    expect(faults(sv48, (name) => (name === "satp" ? satp([0n, 8n, 9n]) : ruleOf(name)))).toEqual([]);
  });

  test("does so with region registers, which hold a frame number", () => {
    const region = (name: string) => (/^sregion[0-4]$/.test(name) ? bits(2n ** 44n - 1n) : ruleOf(name));
    expect(faults(regions, region)).toEqual([]);
  });

  test.each([
    [extended, 0x8000_0000_0000_00f1n],
    [svadu, 0xa000_0000_0000_00f1n],
  ] as const)("does so with everything on: $name", (profile, menvcfg) => {
    const others: Readonly<Record<string, Rule>> = {
      satp: satp([0n, 8n, 9n]),
      menvcfg: environment(menvcfg),
      senvcfg: environment(0xf1n),
    };
    expect(faults(profile, (name) => others[name] ?? ruleOf(name))).toEqual([]);
  });
});

describe("registers that are views of others", () => {
  test("sie and sip show and change only what is delegated", () => {
    const { write, read } = machine(strict);
    write(0x304, 0xaaan);
    write(0x344, 0x222n);
    for (const delegated of [0n, 0x2n, 0x20n, 0x222n]) {
      write(0x303, delegated);
      expect([read(0x104), read(0x144)]).toEqual([delegated, delegated]);
    }
    write(0x303, 0x20n);
    write(0x104, 0n);
    expect(read(0x304)).toBe(0xa8an);
    write(0x144, 0n);
    expect(read(0x344)).toBe(0x222n);
    write(0x303, 0x222n);
    write(0x144, 0n);
    expect(read(0x344)).toBe(0x220n);
  });

  test("sstatus is the supervisor's part of mstatus", () => {
    const { write, read } = machine(strict);
    write(0x300, ALL);
    expect(read(0x100)).toBe(0x8000_0002_000c_6122n);
    write(0x100, 0n);
    expect(read(0x300)).toBe(0xa_0072_1888n);
  });

  test("fflags and frm are fcsr's, and a write makes FS dirty", () => {
    const { write, read } = machine(strict);
    write(0x300, 1n << 13n);
    write(0x003, 0xa5n);
    expect([read(0x001), read(0x002), read(0x300) >> 63n]).toEqual([5n, 5n, 1n]);
    write(0x002, 2n);
    write(0x001, 0x1an);
    expect(read(0x003)).toBe(0x5an);
  });

  test("cycle and instret follow mcycle and minstret, which count on from what is written", () => {
    const { write, read, position } = machine(strict);
    write(0xb00, ALL);
    write(0xb02, 2n ** 32n - 1n);
    position.retire(4);
    // The write of mcycle was five instructions and one write ago; that of minstret four.
    expect([read(0xc00), read(0xc02)]).toEqual([5n, 2n ** 32n + 3n]);
  });
});
