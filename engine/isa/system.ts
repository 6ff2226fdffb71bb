/**
 * SYSTEM and MISC-MEM: Zicsr, environment calls, trap returns, waits and fences. Zicntr has no rows of its own: its counters are CSRs.
 *
 * Left out: Svinval, the hypervisor's and debug's instructions; they are illegal instructions here.
 * Source: The RISC-V Instruction Set Manual, Volume I, "Memory Ordering Instructions", "Zifencei", "Zicsr"; Volume II,
 * "Machine-Mode Privileged Instructions" and "Supervisor Instructions".
 *
 * @module
 */
import type { Semantics, Table } from "./table.ts";

// Unused fields of fence and fence.i are reserved for finer-grain fences; "implementations shall ignore these fields".
// biome-ignore format: aligned like the manual
export const SYSTEM = {
  fence:        ["fm pred succ rs1 000 rd 0001111",       "innocuous"],
  "fence.i":    ["imm12 rs1 001 rd 0001111",              "innocuous"],
  csrrw:        ["csr rs1 001 rd 1110011",                "by-csr"],
  csrrs:        ["csr rs1 010 rd 1110011",                "by-csr"],
  csrrc:        ["csr rs1 011 rd 1110011",                "by-csr"],
  csrrwi:       ["csr zimm5 101 rd 1110011",              "by-csr"],
  csrrsi:       ["csr zimm5 110 rd 1110011",              "by-csr"],
  csrrci:       ["csr zimm5 111 rd 1110011",              "by-csr"],
  ecall:        ["000000000000 00000 000 00000 1110011",  "control"],
  ebreak:       ["000000000001 00000 000 00000 1110011",  "control"],
  sret:         ["0001000 00010 00000 000 00000 1110011", "control"],
  mret:         ["0011000 00010 00000 000 00000 1110011", "control"],
  wfi:          ["0001000 00101 00000 000 00000 1110011", "control"],
  "sfence.vma": ["0001001 rs2 rs1 000 00000 1110011",     "control"],
} as const satisfies Table;

export const system: Semantics<typeof SYSTEM> = {
  fence: (_, e) => e.fence(),
  "fence.i": (_, e) => e.system("fence.i"),
  csrrw: (_, e) => e.csr("write", "register"),
  csrrs: (_, e) => e.csr("set", "register"),
  csrrc: (_, e) => e.csr("clear", "register"),
  csrrwi: (_, e) => e.csr("write", "immediate"),
  csrrsi: (_, e) => e.csr("set", "immediate"),
  csrrci: (_, e) => e.csr("clear", "immediate"),
  ecall: (_, e) => e.system("ecall"),
  ebreak: (_, e) => e.system("ebreak"),
  sret: (_, e) => e.system("sret"),
  mret: (_, e) => e.system("mret"),
  wfi: (_, e) => e.system("wfi"),
  "sfence.vma": (_, e) => e.system("sfence.vma"),
};
