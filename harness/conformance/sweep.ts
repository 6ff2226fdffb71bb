/**
 * A program that leaves nothing to chance: a quarter of all leaves, flaws and CSRs in each image, and an eighth of what is nearly an
 * instruction, so that eight images in a row meet all.
 *
 * @module
 */

import { REGISTERS } from "./compared.ts";
import { PLAIN } from "./generate.ts";
import { type Environment, fixed, type Item, item, number, type Program, type Section, type Unit } from "./program.ts";
import { Seeded } from "./seeded.ts";
import { nearMisses } from "./system-units.ts";
import { fetchThrough, loadThrough, misalignedReservation, storeThrough } from "./units.ts";
import { CHANGING, type Window } from "./windows.ts";

const QUARTERS = 4;
const EIGHTHS = 8;

/** One window of each size and name, another one with each seed. */
function representatives(random: Seeded, windows: readonly Window[]): Window[] {
  const groups = new Map<string, Window[]>();
  for (const window of windows) {
    if (window.name === CHANGING) continue;
    const key = `${window.size} ${window.name}`;
    groups.set(key, [...(groups.get(key) ?? []), window]);
  }
  return [...groups.values()].map((group) => random.pick(group));
}

/** CSRs that may be read by anyone who is allowed to, with the same result on both machines. */
const READABLE = REGISTERS.filter(
  ({ name }) => !["cycle", "time", "instret", "mcycle", "minstret", "marchid", "mimpid"].includes(name),
);

/** Reads, and the writes that random programs do not make. */
function registers(random: Seeded, quarter: number): Unit[] {
  const units: Unit[] = READABLE.filter((_, index) => index % QUARTERS === quarter).map(({ number: imm }) => [
    item("csrrs", { rd: random.other(), rs1: 0, imm }),
  ]);
  const value = random.other();
  const write = (name: string, rd: number): Item =>
    item("csrrw", { rd, rs1: value, imm: REGISTERS.find((row) => row.name === name)!.number });
  // Entries that are off, whatever their addresses.
  for (let entry = 4; entry < 15; entry++) {
    if (entry % QUARTERS === quarter)
      units.push([
        ...number(value, random.word() & 0x7fff_ffff),
        write(`pmpaddr${entry}`, random.other()),
        write(`pmpaddr${entry}`, random.other()),
      ]);
  }
  // Entry 15 opens all of memory, and stays as it is.
  units.push([
    item("addi", { rd: value, imm: -1 }),
    item("srli", { rd: value, rs1: value, imm: 10 }),
    write("pmpaddr15", random.other()),
  ]);
  const off = random.below(8);
  units.push([
    ...number(value, 0x1f00 | off),
    item("slli", { rd: value, rs1: value, imm: 48 }),
    write("pmpcfg2", random.other()),
  ]);
  // No extension can be switched off.
  units.push([...number(value, random.word() | 0), write("misa", random.other()), write("misa", random.other())]);
  return units;
}

/** Accesses that user and supervisor mode are refused. */
function refusals(random: Seeded, mode: 0 | 1, quarter: number): Unit[] {
  const above = REGISTERS.filter(({ number: csr }) => ((csr >> 8) & 3) > mode);
  const own = REGISTERS.filter(
    ({ number: csr, name }) => ((csr >> 8) & 3) <= mode && /^hpm|^cycle|^time$|^instret|^f/.test(name),
  );
  return [...above, ...own]
    .filter((_, index) => index % QUARTERS === quarter)
    .map(({ number: imm }) => [
      item(random.pick(["csrrw", "csrrs", "csrrc"]), { rd: random.other(), rs1: random.other(), imm }),
    ]);
}

export function sweep(seed: number, windows: readonly Window[]): Program {
  const random = new Seeded(seed ^ 0x2b2b);
  const quarter = ((seed % QUARTERS) + QUARTERS) % QUARTERS;
  const sections: Section[] = [{ environment: PLAIN, units: registers(random, quarter) }];
  sections.push({ environment: PLAIN, units: nearMisses(random, seed % EIGHTHS, EIGHTHS) });
  const at = (mode: 0 | 1, more: Partial<Environment>, flags = 0n): Environment => ({
    ...PLAIN,
    mstatus: (2n << 32n) | (BigInt(mode) << 11n) | flags,
    mode,
    ...more,
  });
  for (const mode of [0, 1] as const)
    sections.push({ environment: at(mode, {}), units: refusals(random, mode, quarter) });
  for (const mode of [0, 1] as const) {
    const translation = mode === 0 ? "user" : "supervisor";
    const delegated = { translation, levels: 4, medeleg: random.chance(50) ? 0xb1f7 : 0 } as const;
    // FS Dirty, and SUM and MXR at random.
    const flags = () => (3n << 13n) | (BigInt(random.below(4)) << 18n);
    const chosen = representatives(random, windows);
    const data: Unit[] = [[...misalignedReservation(random)]];
    for (const [index, window] of chosen.entries()) {
      if (index % QUARTERS === quarter) data.push(loadThrough(random, window));
      if ((index + 1) % QUARTERS === quarter) data.push(storeThrough(random, window));
    }
    sections.push({ environment: at(mode, delegated, flags()), units: data });
    for (const [index, window] of chosen.entries()) {
      if ((index + 2) % QUARTERS !== quarter) continue;
      // A fence in front, for QEMU's sake, where a supervisor may make one.
      const fence = mode === 1 ? [item("sfence.vma", { rs1: 0, rs2: 0 })] : [];
      sections.push({
        environment: at(mode, delegated, flags()),
        units: [[...fence, ...fetchThrough(random, window)]],
      });
    }
  }
  // A supervisor's interrupts, made pending in machine mode, are taken as soon as user mode is entered.
  for (const cause of [1, 5, 9]) {
    sections.push({
      environment: PLAIN,
      units: [[...number(1, 1 << cause), item("csrrw", { rd: 0, rs1: 1, imm: 0x344 })]],
    });
    sections.push({
      environment: at(0, { mideleg: 0x222, mie: 0x222, vectored: cause !== 5 }),
      units: [[item("addi", {})]],
    });
  }
  sections.push({ environment: at(0, {}), units: [misalignedReservation(random), [fixed(0x73)]] });
  return { seed, sections };
}
