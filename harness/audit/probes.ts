/**
 * What may follow an instruction and come out otherwise because of it: loads and stores of pages that different rights lead to, counters,
 * floating point, traps, waits, interrupts that become pending or enabled; in the mode that the instruction ran in, and below it.
 *
 * An instruction is control sensitive if it changes what later instructions may do. That is asked of the later instructions themselves: each
 * probe is run behind the instruction and behind a no-op, and where the two paths differ, something has been changed. A probe reads no
 * privileged register, so a register that merely holds what was written changes none of them.
 *
 * @module
 */
import { CSRS, type Profile } from "../../engine/mod.ts";
import { bitsOf } from "./forms.ts";
import type { Trial } from "./laboratory.ts";
import type { Mode } from "./station-program.ts";

const [T0, T1, T2, S0, S1, A3, S2, S3, S4, S5, S6] = [5, 6, 7, 8, 9, 13, 18, 19, 20, 21, 22] as const;
const csr = (name: string) => CSRS.find((row) => row.name === name)!.number;
const read = (name: string) => bitsOf("csrrs", { rd: A3, imm: csr(name) });
const [write, set, clear] = (["csrrw", "csrrs", "csrrc"] as const).map(
  (mnemonic) => (name: string, rs1: number) => bitsOf(mnemonic, { rs1, imm: csr(name) }),
) as [Access, Access, Access];
type Access = (name: string, rs1: number) => number;

/** What any mode may try. */
function anywhere(profile: Profile): readonly (readonly number[])[] {
  const load = (rs1: number) => [bitsOf("ld", { rd: A3, rs1 })];
  const blocks = profile.extensions.includes("zicbom")
    ? [[bitsOf("cbo.inval", { rs1: S0 })], [bitsOf("cbo.clean", { rs1: S0 })]]
    : [];
  const zero = profile.extensions.includes("zicboz") ? [[bitsOf("cbo.zero", { rs1: S0 })]] : [];
  return [
    [],
    load(S0),
    load(S1),
    load(S2),
    load(S3),
    [bitsOf("sd", { rs1: S0, rs2: S0 })],
    [bitsOf("fadd.d", { rd: 1, rs1: 2, rs2: 3 })],
    [read("cycle")],
    [read("time")],
    [read("instret")],
    [bitsOf("ecall")],
    [0],
    ...blocks,
    ...zero,
  ];
}

/** What only a mode that may do it can try. */
const ABOVE_USER: readonly (readonly number[])[] = [
  [bitsOf("wfi")],
  [bitsOf("sfence.vma")],
  [bitsOf("csrrsi", { imm: csr("sip"), zimm5: 2 })],
  [bitsOf("csrrsi", { imm: csr("sie"), zimm5: 2 })],
  [set("sie", T1)],
];

/** Goes to user mode at T0, from wherever it may. */
const TO_USER = [write("sepc", T0), clear("sstatus", S4), bitsOf("sret")];
/** Goes to supervisor mode at T2, from machine mode. */
const TO_SUPERVISOR = [write("mepc", T2), clear("mstatus", S5), set("mstatus", S6), bitsOf("mret")];

/** @returns What to put behind an instruction that runs in `mode`, as trials whose first word is still to come. */
export function probesFor(profile: Profile, mode: Mode): readonly Trial[] {
  const any = anywhere(profile);
  return [
    ...any.map((words) => ({ words })),
    ...(mode === "user" ? [] : ABOVE_USER.map((words) => ({ words }))),
    ...(mode === "user" ? [] : any.map((user) => ({ words: TO_USER, user }))),
    ...(mode === "machine" ? [...any, ...ABOVE_USER].map((supervisor) => ({ words: TO_SUPERVISOR, supervisor })) : []),
  ];
}
