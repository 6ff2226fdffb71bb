/** Classes by experiment, on every profile; and that a machine which is not what its profile says is found out. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { Leaks } from "../../engine/hart/leaks.ts";
import { Privileged } from "../../engine/hart/privileged.ts";
import { leakyMin, leakySilent, leakyX86, PROFILES, type Profile, strict } from "../../engine/mod.ts";
import { type Audit, audit, nameOf } from "./audit.ts";
import type { Subject } from "./forms.ts";

const MACHINE_CSRS = ["mstatus", "mepc", "mscratch", "mvendorid", "mcycle", "mcountinhibit", "pmpcfg0", "hpmcounter3"];
/** Each kind of instruction, and each CSR that a profile treats in its own way: the rest is for the slow suite. */
const telling = ({ instruction, csr }: Subject): boolean =>
  csr === null
    ? /^(add|ld|sd|sc\.d|fadd\.d|jalr|auipc|fence.*|e.*|[sm]ret|wfi|sfence\.vma|pad|mark|cbo\..*|wrs\..*)$/.test(
        instruction.mnemonic,
      )
    : ["csrrw", "csrrs", "csrrci"].includes(instruction.mnemonic) &&
      (csr.mode === "supervisor" || [...MACHINE_CSRS, "fcsr", "frm", "cycle", "time", "instret"].includes(csr.name));
const just =
  (...names: string[]) =>
  ({ instruction, csr }: Subject): boolean =>
    names.includes(csr === null ? instruction.mnemonic : csr.name);

const found = ({ instructions }: Audit, name: string) => instructions.find((row) => nameOf(row) === name)!;
const differing = ({ instructions }: Audit) =>
  instructions.filter(({ agrees }) => !agrees).map((row) => `${nameOf(row)}: ${row.class}, observed ${row.observed}`);

afterEach(() => vi.restoreAllMocks());

describe("an audit", () => {
  // sv48 and svadu differ from strict and extended in nothing that is asked here; the slow suite audits all.
  const profiles = PROFILES.filter(({ name }) => name !== "sv48" && name !== "svadu");
  const audits = new Map(profiles.map((profile) => [profile.name, audit(profile, telling)]));

  test.each(profiles)("observes on $name what its rows and profile predict", (profile) => {
    expect(differing(audits.get(profile.name)!)).toEqual([]);
  });

  test("finds those profiles virtualizable that leak nothing", () => {
    const verdicts = [...audits].map(([name, { verdict }]) => [name, verdict]);
    expect(verdicts.filter(([, verdict]) => verdict === "virtualizable").map(([name]) => name)).toEqual([
      ...["strict", "extended", "regions"],
    ]);
  });

  test("classes what is privileged, and what any mode may do", () => {
    const { classes, instructions } = audits.get("strict")!;
    expect(instructions.length).toBe(classes.privileged + classes.innocuous);
    const of = (name: string) => found(audits.get("strict")!, name).observed;
    for (const name of ["sret", "mret", "wfi", "sfence.vma", "ecall", "ebreak", "csrrs sepc", "csrrw mstatus"])
      expect(of(name), name).toBe("privileged");
    // hpmcounter3 can be enabled for nobody, so it is machine mode's alone; a write to a read-only CSR is nobody's.
    expect([of("csrrs hpmcounter3"), of("csrrw cycle")]).toEqual(["privileged", "innocuous"]);
    for (const name of ["add", "ld", "sc.d", "fadd.d", "fence.i", "csrrs time", "csrrw fcsr"])
      expect(of(name), name).toBe("innocuous");
  });

  test("tells what shows the machine from what changes it, on leaky-x86", () => {
    const x86 = audits.get("leaky-x86")!;
    expect(x86.violators).toHaveLength(3 + 2 * 10);
    expect(found(x86, "csrrs sstatus").observed).toBe("control-sensitive");
    expect(found(x86, "csrrs satp")).toMatchObject({
      observed: "behaviour-sensitive",
      silent: ["csrrs a0, satp, zero"],
    });
    expect(found(x86, "csrrw satp").observed).toBe("privileged");
  });

  test("finds what decides and what only holds, on leaky-silent", () => {
    const silent = audits.get("leaky-silent")!;
    expect(silent.violators).toHaveLength(12 * 3 + 2);
    const held = silent.instructions.filter(({ observed }) => observed === "behaviour-sensitive");
    expect([...new Set(held.map(({ csr }) => csr))]).toEqual(["senvcfg", "sscratch", "sepc", "scause", "stval"]);
    expect(found(silent, "wfi").observed).toBe("control-sensitive");
  });

  test("finds the one hole of leaky-min", () => {
    expect(audits.get("leaky-min")!.violators).toEqual(["sfence.vma"]);
  });

  test("knows what goes on behind the supervisor's back without being sensitive", () => {
    const audited = audits.get("strict")!;
    expect(found(audited, "fadd.d")).toMatchObject({ dirties: true, conditional: true });
    expect(found(audited, "csrrs time")).toMatchObject({ dirties: false, conditional: true });
    expect(found(audited, "add")).toMatchObject({ dirties: false, conditional: false });
  });
});

describe("a machine that is not what its profile says", () => {
  test("is found out where sret does not trap in user mode", () => {
    const permits = Privileged.prototype.permits;
    vi.spyOn(Privileged.prototype, "permits").mockImplementation(function (this: Privileged, instruction) {
      return instruction === "sret" || permits.call(this, instruction);
    });
    const audited = audit(strict, just("sret", "mret", "add"));
    expect(differing(audited)).toEqual(["sret: privileged, observed control-sensitive"]);
    expect(audited.verdict).toBe("not-virtualizable");
  });

  test("is found out where it leaks what the profile has trap, and the other way round", () => {
    const ignores = vi.spyOn(Leaks.prototype, "ignores").mockReturnValue(true);
    expect(differing(audit(strict, just("wfi", "sfence.vma")))).toEqual([
      "wfi: privileged, observed control-sensitive",
      "sfence.vma: privileged, observed control-sensitive",
    ]);
    ignores.mockReturnValue(false);
    expect(differing(audit(leakyMin, just("wfi", "sfence.vma")))).toEqual([
      "sfence.vma: control-sensitive, observed privileged",
    ]);
    vi.spyOn(Leaks.prototype, "execute").mockReturnValue(false);
    expect(differing(audit(leakyX86, just("sepc")))).toHaveLength(4);
  });

  test("is found out where user mode reads a register of the supervisor's", () => {
    const execute = Privileged.prototype.execute;
    vi.spyOn(Privileged.prototype, "execute").mockImplementation(function (this: Privileged, current) {
      const { mode } = this;
      if (mode !== 0 || (current.imm & 0xfff) !== 0x140 || current.rs1 !== 0) return execute.call(this, current);
      this.mode = 1;
      const done = execute.call(this, current);
      this.mode = mode;
      return done;
    });
    const wrong = differing(audit(strict, just("sscratch", "scause")));
    expect(wrong).toContain("csrrs sscratch: privileged, observed behaviour-sensitive");
    expect(wrong.every((row) => row.includes("sscratch"))).toBe(true);
  });

  test("is found out where an innocuous instruction knows the mode that it runs in", () => {
    const read = Privileged.prototype.read;
    vi.spyOn(Privileged.prototype, "read").mockImplementation(function (this: Privileged, number) {
      read.call(this, number);
      if (number === 0xc01 && this.mode === 0) this.low += 1;
    });
    expect(differing(audit(strict, just("time"))).sort()[0]).toBe(
      "csrrc time: innocuous, observed behaviour-sensitive",
    );
  });

  test("is no machine to audit where its set-up already goes wrong", () => {
    vi.spyOn(Privileged.prototype, "leave").mockImplementation(function (this: Privileged) {
      this.mode = 3;
    });
    expect(() => audit(strict, just("add"))).toThrow(
      /^Cannot audit as the machine must come to station machine, bare: /,
    );
  });
});

test("leaks of one's own making are audited like any other", () => {
  const profile: Profile = { ...leakySilent, name: "own", leaks: { csrs: {}, nops: ["sret"] } };
  const { violators } = audit(profile, just("sret"));
  expect(violators).toEqual(["sret"]);
});
