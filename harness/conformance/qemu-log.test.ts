import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { LOGGED } from "./image.ts";
import { FIELDS, QemuLog, SATP } from "./qemu-log.ts";

const ABI = ["zero", "ra", "sp", "gp"];

/** A record as QEMU prints it; fields that are not given are 0. */
function record(values: Readonly<Record<string, bigint>>, satp = true): string {
  const digits = (name: string) => (values[name] ?? 0n).toString(16).padStart(16, "0");
  const csrs = ["pc", "mhartid", ...LOGGED.map(({ name }) => name)].filter((name) => satp || name !== "satp");
  const lines = csrs.map((name) => ` ${name.padEnd(8)} ${digits(name)}\n`);
  for (const letter of ["x", "f"]) {
    for (let i = 0; i < 32; i += 4) {
      const four = [0, 1, 2, 3].map((k) => `${`${letter}${i + k}/${ABI[k]}`.padEnd(8)} ${digits(`${letter}${i + k}`)}`);
      lines.push(` ${four.join(" ")}\n`);
    }
  }
  return lines.join("");
}

const folder = mkdtempSync(join(tmpdir(), "trapline-log-"));
const open: number[] = [];
afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd);
  rmSync(join(folder, "log"), { force: true });
});
function read(text: string): QemuLog {
  writeFileSync(join(folder, "log"), text);
  open.push(openSync(join(folder, "log"), "r"));
  return new QemuLog(open[0]!);
}
const field = (log: QemuLog, name: string) => {
  const at = 2 * FIELDS.indexOf(name);
  return (BigInt(log.state[at + 1]!) << 32n) | BigInt(log.state[at]!);
};

describe("QEMU's log", () => {
  test("is read field by field", () => {
    const log = read(
      record({ pc: 0x1000n, x3: 0x123456789abcdef0n }) + record({ pc: 0x1004n, f31: 7n, mepc: 5n, mhartid: 9n }),
    );
    expect(log.next()).toBe(true);
    expect([field(log, "pc"), field(log, "x3"), field(log, "f31")]).toEqual([0x1000n, 0x123456789abcdef0n, 0n]);
    expect(log.next()).toBe(true);
    expect([field(log, "pc"), field(log, "x3"), field(log, "f31"), field(log, "mepc")]).toEqual([0x1004n, 0n, 7n, 5n]);
    expect(log.next()).toBe(false);
    expect(log.records).toBe(2);
  });

  test("has records without satp, which count as 0", () => {
    const log = read(
      record({ pc: 1n, satp: 2n }) +
        record({ pc: 2n, x31: 4n }, false) +
        record({ pc: 3n, satp: 2n }) +
        record({ pc: 4n }, false),
    );
    const seen: bigint[] = [];
    while (log.next()) seen.push(field(log, "pc"), field(log, "satp"), field(log, "x31"));
    expect(seen).toEqual([1n, 2n, 0n, 2n, 0n, 4n, 3n, 2n, 0n, 4n, 0n, 0n]);
    expect(FIELDS[SATP]).toBe("satp");
  });

  test("skips a record that repeats the one before", () => {
    const log = read([{ pc: 1n }, { pc: 2n }, { pc: 2n }, { pc: 3n }].map((values) => record(values)).join(""));
    const seen: bigint[] = [];
    while (log.next()) seen.push(field(log, "pc"));
    expect(seen).toEqual([1n, 2n, 3n]);
  });

  test("is refused where a field is missing", () => {
    const text = record({}).replace(/ mepc .*\n/, "");
    expect(() => read(text + text).next()).toThrow(RangeError);
  });

  test("ends with what a killed QEMU left of a record", () => {
    const log = read(record({ pc: 1n }) + record({ pc: 2n }) + record({ pc: 3n }).slice(0, 500));
    let count = 0;
    while (log.next()) count++;
    expect(count).toBe(2);
  });
});
