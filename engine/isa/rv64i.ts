/**
 * RV64I: the base integer instructions. `fence`, `ecall` and `ebreak` are with the SYSTEM rows.
 *
 * Source: The RISC-V Instruction Set Manual, Volume I, "RV32I Base Integer Instruction Set" and "RV64I Base Integer Instruction Set".
 *
 * @module
 */
import type { Emit, ImmediateField, MemorySize, RegisterField } from "./emit.ts";
import type { Semantics, Table } from "./table.ts";

// biome-ignore format: aligned like the manual
export const RV64I = {
  lui:   ["imm20 rd 0110111",                          "innocuous"],
  auipc: ["imm20 rd 0010111",                          "innocuous"],
  jal:   ["jimm20 rd 1101111",                         "innocuous"],
  jalr:  ["imm12 rs1 000 rd 1100111",                  "innocuous"],
  beq:   ["bimm12hi rs2 rs1 000 bimm12lo 1100011",     "innocuous"],
  bne:   ["bimm12hi rs2 rs1 001 bimm12lo 1100011",     "innocuous"],
  blt:   ["bimm12hi rs2 rs1 100 bimm12lo 1100011",     "innocuous"],
  bge:   ["bimm12hi rs2 rs1 101 bimm12lo 1100011",     "innocuous"],
  bltu:  ["bimm12hi rs2 rs1 110 bimm12lo 1100011",     "innocuous"],
  bgeu:  ["bimm12hi rs2 rs1 111 bimm12lo 1100011",     "innocuous"],
  lb:    ["imm12 rs1 000 rd 0000011",                  "innocuous"],
  lh:    ["imm12 rs1 001 rd 0000011",                  "innocuous"],
  lw:    ["imm12 rs1 010 rd 0000011",                  "innocuous"],
  ld:    ["imm12 rs1 011 rd 0000011",                  "innocuous"],
  lbu:   ["imm12 rs1 100 rd 0000011",                  "innocuous"],
  lhu:   ["imm12 rs1 101 rd 0000011",                  "innocuous"],
  lwu:   ["imm12 rs1 110 rd 0000011",                  "innocuous"],
  sb:    ["imm12hi rs2 rs1 000 imm12lo 0100011",       "innocuous"],
  sh:    ["imm12hi rs2 rs1 001 imm12lo 0100011",       "innocuous"],
  sw:    ["imm12hi rs2 rs1 010 imm12lo 0100011",       "innocuous"],
  sd:    ["imm12hi rs2 rs1 011 imm12lo 0100011",       "innocuous"],
  addi:  ["imm12 rs1 000 rd 0010011",                  "innocuous"],
  slti:  ["imm12 rs1 010 rd 0010011",                  "innocuous"],
  sltiu: ["imm12 rs1 011 rd 0010011",                  "innocuous"],
  xori:  ["imm12 rs1 100 rd 0010011",                  "innocuous"],
  ori:   ["imm12 rs1 110 rd 0010011",                  "innocuous"],
  andi:  ["imm12 rs1 111 rd 0010011",                  "innocuous"],
  slli:  ["000000 shamtd rs1 001 rd 0010011",          "innocuous"],
  srli:  ["000000 shamtd rs1 101 rd 0010011",          "innocuous"],
  srai:  ["010000 shamtd rs1 101 rd 0010011",          "innocuous"],
  add:   ["0000000 rs2 rs1 000 rd 0110011",            "innocuous"],
  sub:   ["0100000 rs2 rs1 000 rd 0110011",            "innocuous"],
  sll:   ["0000000 rs2 rs1 001 rd 0110011",            "innocuous"],
  slt:   ["0000000 rs2 rs1 010 rd 0110011",            "innocuous"],
  sltu:  ["0000000 rs2 rs1 011 rd 0110011",            "innocuous"],
  xor:   ["0000000 rs2 rs1 100 rd 0110011",            "innocuous"],
  srl:   ["0000000 rs2 rs1 101 rd 0110011",            "innocuous"],
  sra:   ["0100000 rs2 rs1 101 rd 0110011",            "innocuous"],
  or:    ["0000000 rs2 rs1 110 rd 0110011",            "innocuous"],
  and:   ["0000000 rs2 rs1 111 rd 0110011",            "innocuous"],
  addiw: ["imm12 rs1 000 rd 0011011",                  "innocuous"],
  slliw: ["0000000 shamtw rs1 001 rd 0011011",         "innocuous"],
  srliw: ["0000000 shamtw rs1 101 rd 0011011",         "innocuous"],
  sraiw: ["0100000 shamtw rs1 101 rd 0011011",         "innocuous"],
  addw:  ["0000000 rs2 rs1 000 rd 0111011",            "innocuous"],
  subw:  ["0100000 rs2 rs1 000 rd 0111011",            "innocuous"],
  sllw:  ["0000000 rs2 rs1 001 rd 0111011",            "innocuous"],
  srlw:  ["0000000 rs2 rs1 101 rd 0111011",            "innocuous"],
  sraw:  ["0100000 rs2 rs1 101 rd 0111011",            "innocuous"],
} as const satisfies Table;

interface Load {
  readonly rd: RegisterField;
  readonly rs1: RegisterField;
  readonly imm: ImmediateField;
}
const load =
  (size: MemorySize, signed: boolean) =>
  <V>({ rd, rs1, imm }: Load, e: Emit<V>) =>
    e.setX(rd, e.load(e.add(e.x(rs1), e.imm(imm)), size, signed));

interface Store {
  readonly rs1: RegisterField;
  readonly rs2: RegisterField;
  readonly imm: ImmediateField;
}
const store =
  (size: MemorySize) =>
  <V>({ rs1, rs2, imm }: Store, e: Emit<V>) =>
    e.store(e.add(e.x(rs1), e.imm(imm)), size, e.x(rs2));

const branch =
  (condition: "eq" | "ne" | "lt" | "ge" | "ltu" | "geu") =>
  <V>({ rs1, rs2, imm }: Store, e: Emit<V>) =>
    e.branch(e[condition](e.x(rs1), e.x(rs2)), e.add(e.pc(), e.imm(imm)));

const word = <V>(e: Emit<V>, value: V) => e.signExtend(value, 32);
/** The low five bits: the shift count of a 32-bit shift. */
const count = <V>(e: Emit<V>, value: V) => e.and(value, e.const(31));

export const rv64i: Semantics<typeof RV64I> = {
  lui: ({ rd, imm }, e) => e.setX(rd, e.imm(imm)),
  auipc: ({ rd, imm }, e) => e.setX(rd, e.add(e.pc(), e.imm(imm))),
  jal: ({ rd, imm }, e) => {
    e.setX(rd, e.nextPc());
    e.jump(e.add(e.pc(), e.imm(imm)));
  },
  jalr: ({ rd, rs1, imm }, e) => {
    // rd may be rs1, so the target comes first. Its low bit is cleared ("Unconditional Jumps").
    const target = e.let(e.and(e.add(e.x(rs1), e.imm(imm)), e.const(-2)));
    e.setX(rd, e.nextPc());
    e.jump(target);
  },
  beq: branch("eq"),
  bne: branch("ne"),
  blt: branch("lt"),
  bge: branch("ge"),
  bltu: branch("ltu"),
  bgeu: branch("geu"),
  lb: load(1, true),
  lh: load(2, true),
  lw: load(4, true),
  ld: load(8, true),
  lbu: load(1, false),
  lhu: load(2, false),
  lwu: load(4, false),
  sb: store(1),
  sh: store(2),
  sw: store(4),
  sd: store(8),
  addi: ({ rd, rs1, imm }, e) => e.setX(rd, e.add(e.x(rs1), e.imm(imm))),
  slti: ({ rd, rs1, imm }, e) => e.setX(rd, e.lt(e.x(rs1), e.imm(imm))),
  sltiu: ({ rd, rs1, imm }, e) => e.setX(rd, e.ltu(e.x(rs1), e.imm(imm))),
  xori: ({ rd, rs1, imm }, e) => e.setX(rd, e.xor(e.x(rs1), e.imm(imm))),
  ori: ({ rd, rs1, imm }, e) => e.setX(rd, e.or(e.x(rs1), e.imm(imm))),
  andi: ({ rd, rs1, imm }, e) => e.setX(rd, e.and(e.x(rs1), e.imm(imm))),
  slli: ({ rd, rs1, imm }, e) => e.setX(rd, e.shl(e.x(rs1), e.imm(imm))),
  srli: ({ rd, rs1, imm }, e) => e.setX(rd, e.shr(e.x(rs1), e.imm(imm))),
  srai: ({ rd, rs1, imm }, e) => e.setX(rd, e.sar(e.x(rs1), e.imm(imm))),
  add: ({ rd, rs1, rs2 }, e) => e.setX(rd, e.add(e.x(rs1), e.x(rs2))),
  sub: ({ rd, rs1, rs2 }, e) => e.setX(rd, e.sub(e.x(rs1), e.x(rs2))),
  sll: ({ rd, rs1, rs2 }, e) => e.setX(rd, e.shl(e.x(rs1), e.x(rs2))),
  slt: ({ rd, rs1, rs2 }, e) => e.setX(rd, e.lt(e.x(rs1), e.x(rs2))),
  sltu: ({ rd, rs1, rs2 }, e) => e.setX(rd, e.ltu(e.x(rs1), e.x(rs2))),
  xor: ({ rd, rs1, rs2 }, e) => e.setX(rd, e.xor(e.x(rs1), e.x(rs2))),
  srl: ({ rd, rs1, rs2 }, e) => e.setX(rd, e.shr(e.x(rs1), e.x(rs2))),
  sra: ({ rd, rs1, rs2 }, e) => e.setX(rd, e.sar(e.x(rs1), e.x(rs2))),
  or: ({ rd, rs1, rs2 }, e) => e.setX(rd, e.or(e.x(rs1), e.x(rs2))),
  and: ({ rd, rs1, rs2 }, e) => e.setX(rd, e.and(e.x(rs1), e.x(rs2))),
  addiw: ({ rd, rs1, imm }, e) => e.setX(rd, word(e, e.add(e.x(rs1), e.imm(imm)))),
  slliw: ({ rd, rs1, imm }, e) => e.setX(rd, word(e, e.shl(e.x(rs1), e.imm(imm)))),
  srliw: ({ rd, rs1, imm }, e) => e.setX(rd, word(e, e.shr(e.zeroExtend(e.x(rs1), 32), e.imm(imm)))),
  sraiw: ({ rd, rs1, imm }, e) => e.setX(rd, e.sar(word(e, e.x(rs1)), e.imm(imm))),
  addw: ({ rd, rs1, rs2 }, e) => e.setX(rd, word(e, e.add(e.x(rs1), e.x(rs2)))),
  subw: ({ rd, rs1, rs2 }, e) => e.setX(rd, word(e, e.sub(e.x(rs1), e.x(rs2)))),
  sllw: ({ rd, rs1, rs2 }, e) => e.setX(rd, word(e, e.shl(e.x(rs1), count(e, e.x(rs2))))),
  srlw: ({ rd, rs1, rs2 }, e) => e.setX(rd, word(e, e.shr(e.zeroExtend(e.x(rs1), 32), count(e, e.x(rs2))))),
  sraw: ({ rd, rs1, rs2 }, e) => e.setX(rd, e.sar(word(e, e.x(rs1)), count(e, e.x(rs2)))),
};
