import { describe, expect, test } from "vitest";
import type { Emit, RegisterField } from "./emit.ts";
import { INSTRUCTIONS, type Instruction } from "./instructions.ts";

/** A value that knows what it reads, and whether it may be used again. */
interface Value {
  readonly bound: boolean;
  readonly readsX: boolean;
  used: boolean;
}

/** Runs a row's semantics over values that complain, and lists the complaints. */
function complaints({ mnemonic, semantics }: Instruction): string[] {
  const found: string[] = [];
  const calls: string[] = [];
  let wroteX = false;
  const make = (readsX: boolean, bound = false): Value => ({ bound, readsX, used: false });
  const use = (values: readonly unknown[]): boolean => {
    let readsX = false;
    for (const value of values) {
      if (typeof value !== "object" || value === null || !("bound" in value)) continue;
      const used = value as Value;
      if (used.used && !used.bound) found.push(`${mnemonic} uses a value twice without let`);
      if (used.readsX && !used.bound && wroteX) found.push(`${mnemonic} reads an x register after it wrote one`);
      used.used = true;
      readsX ||= used.readsX;
    }
    return readsX;
  };
  const emit = new Proxy({} as Emit<Value>, {
    get: (_, name: string) => {
      return (...operands: unknown[]) => {
        calls.push(name);
        const readsX = use(operands) || name === "x";
        if (name === "setX") wroteX = true;
        return make(name !== "let" && readsX, name === "let");
      };
    },
  });
  semantics(emit);
  const floats = calls.some((name) => ["f", "fSingle", "setF", "setFSingle", "float", "needsFloat"].includes(name));
  if (floats && calls.indexOf("needsFloat") !== 0) found.push(`${mnemonic} does not ask for FS first`);
  return found;
}

const row = (semantics: Instruction["semantics"]): Instruction => ({ ...INSTRUCTIONS[0]!, mnemonic: "row", semantics });
const rd: RegisterField = { kind: "register", slot: "rd" };
const rs1: RegisterField = { kind: "register", slot: "rs1" };

describe("semantics", () => {
  test("use no value twice without let, read before they write, and ask for FS first", () => {
    expect(INSTRUCTIONS.flatMap(complaints)).toEqual([]);
  });

  test("that break these rules are found out", () => {
    const twice = row((e) => {
      const value = e.x(rs1);
      e.setX(rd, e.add(value, value));
    });
    const late = row((e) => {
      const target = e.x(rs1);
      e.setX(rd, e.nextPc());
      e.jump(target);
    });
    const off = row((e) => {
      e.setF(rd, e.f(rs1));
      e.needsFloat(true);
    });
    expect(complaints(twice)).toEqual(["row uses a value twice without let"]);
    expect(complaints(late)).toEqual(["row reads an x register after it wrote one"]);
    expect(complaints(off)).toEqual(["row does not ask for FS first"]);
  });

  test("dirty FS when they write an f register or may raise a flag (guest time rule T14)", () => {
    const clean = INSTRUCTIONS.filter(({ effects }) => effects.dirties === false).map(({ mnemonic }) => mnemonic);
    expect(clean).toEqual(["fsw", "fmv.x.w", "fclass.s", "fsd", "fclass.d", "fmv.x.d"]);
    for (const { mnemonic, effects } of INSTRUCTIONS) {
      expect(effects.dirties !== undefined, mnemonic).toBe(/^f(?!ence)/.test(mnemonic));
      if (effects.writesF) expect(effects.dirties, mnemonic).toBe(true);
    }
  });

  test("write an x register where the row has rd, except for f registers, fences and the marks", () => {
    const silent = INSTRUCTIONS.filter(
      ({ fields, effects }) => fields.includes("rd") && !effects.writesX && !effects.writesF,
    );
    expect(silent.map(({ mnemonic }) => mnemonic)).toEqual(["fence", "fence.i"]);
    for (const { mnemonic, fields, writesX, effects } of INSTRUCTIONS) {
      if (writesX || effects.writesF) expect(fields, mnemonic).toContain("rd");
      expect(writesX && effects.writesF, mnemonic).toBe(false);
    }
  });

  test("say what they touch: loads, stores, reservations, jumps", () => {
    const having = (property: "loads" | "stores" | "reserves" | "jumps" | "branches") =>
      INSTRUCTIONS.filter(({ effects }) => effects[property]).map(({ mnemonic }) => mnemonic);
    expect(having("jumps")).toEqual(["jal", "jalr"]);
    expect(having("branches")).toEqual(["beq", "bne", "blt", "bge", "bltu", "bgeu"]);
    expect(having("reserves")).toEqual(["lr.w", "sc.w", "lr.d", "sc.d"]);
    expect(having("loads").filter((name) => !name.startsWith("amo"))).toEqual([
      "lb",
      "lh",
      "lw",
      "ld",
      "lbu",
      "lhu",
      "lwu",
      "lr.w",
      "lr.d",
      "flw",
      "fld",
    ]);
    expect(having("stores").filter((name) => !name.startsWith("amo"))).toEqual([
      "sb",
      "sh",
      "sw",
      "sd",
      "sc.w",
      "sc.d",
      "fsw",
      "fsd",
    ]);
    expect(having("stores").filter((name) => name.startsWith("amo"))).toHaveLength(18);
  });
});
