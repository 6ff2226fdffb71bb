/**
 * Pseudo-instructions: each is rewritten to instructions before it is assembled.
 *
 * Left out: relaxation (`call` and `la` always take two instructions), and loads and stores with a symbol for an address.
 * Source: The RISC-V Assembly Programmer's Manual, "A listing of standard RISC-V pseudoinstructions".
 *
 * @module
 */

/** A mnemonic and its operands as text. */
export type Statement = readonly [mnemonic: string, ...operands: string[]];

/** What a pseudo-instruction stands for, with `$1`, `$2`, ... for its operands; several, where the number of operands decides. */
const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  nop: ["addi zero,zero,0"],
  mv: ["addi $1,$2,0"],
  not: ["xori $1,$2,-1"],
  neg: ["sub $1,zero,$2"],
  negw: ["subw $1,zero,$2"],
  "sext.w": ["addiw $1,$2,0"],
  "zext.b": ["andi $1,$2,255"],
  seqz: ["sltiu $1,$2,1"],
  snez: ["sltu $1,zero,$2"],
  sltz: ["slt $1,$2,zero"],
  sgtz: ["slt $1,zero,$2"],
  la: ["auipc $1,%pcrel_hi($2); addi $1,$1,%pcrel_lo($2)"],
  j: ["jal zero,$1"],
  jal: ["jal ra,$1"],
  jr: ["jalr zero,$1"],
  jalr: ["jalr ra,$1"],
  call: ["auipc ra,%pcrel_hi($1); jalr ra,%pcrel_lo($1)(ra)"],
  tail: ["auipc t1,%pcrel_hi($1); jalr zero,%pcrel_lo($1)(t1)"],
  ret: ["jalr zero,0(ra)"],
  beqz: ["beq $1,zero,$2"],
  bnez: ["bne $1,zero,$2"],
  blez: ["bge zero,$1,$2"],
  bgez: ["bge $1,zero,$2"],
  bltz: ["blt $1,zero,$2"],
  bgtz: ["blt zero,$1,$2"],
  bgt: ["blt $2,$1,$3"],
  ble: ["bge $2,$1,$3"],
  bgtu: ["bltu $2,$1,$3"],
  bleu: ["bgeu $2,$1,$3"],
  csrr: ["csrrs $1,$2,zero"],
  csrw: ["csrrw zero,$1,$2"],
  csrs: ["csrrs zero,$1,$2"],
  csrc: ["csrrc zero,$1,$2"],
  csrwi: ["csrrwi zero,$1,$2"],
  csrsi: ["csrrsi zero,$1,$2"],
  csrci: ["csrrci zero,$1,$2"],
  rdtime: ["csrrs $1,time,zero"],
  rdcycle: ["csrrs $1,cycle,zero"],
  rdinstret: ["csrrs $1,instret,zero"],
  frcsr: ["csrrs $1,fcsr,zero"],
  fscsr: ["csrrw zero,fcsr,$1", "csrrw $1,fcsr,$2"],
  frrm: ["csrrs $1,frm,zero"],
  fsrm: ["csrrw zero,frm,$1", "csrrw $1,frm,$2"],
  fsrmi: ["csrrwi zero,frm,$1", "csrrwi $1,frm,$2"],
  frflags: ["csrrs $1,fflags,zero"],
  fsflags: ["csrrw zero,fflags,$1", "csrrw $1,fflags,$2"],
  fsflagsi: ["csrrwi zero,fflags,$1", "csrrwi $1,fflags,$2"],
  fence: ["fence iorw,iorw"],
  "sfence.vma": ["sfence.vma zero,zero", "sfence.vma $1,zero"],
  "fmv.s": ["fsgnj.s $1,$2,$2"],
  "fabs.s": ["fsgnjx.s $1,$2,$2"],
  "fneg.s": ["fsgnjn.s $1,$2,$2"],
  "fmv.d": ["fsgnj.d $1,$2,$2"],
  "fabs.d": ["fsgnjx.d $1,$2,$2"],
  "fneg.d": ["fsgnjn.d $1,$2,$2"],
};

/** Every pseudo-instruction's mnemonic; `li` has a length of its own ({@link loadImmediate}). */
export const PSEUDO_MNEMONICS: readonly string[] = Object.keys(TEMPLATES);

function arity(template: string): number {
  return Math.max(0, ...[...template.matchAll(/\$(\d)/g)].map(([, number]) => Number(number)));
}

const parsed: ReadonlyMap<string, ReadonlyMap<number, readonly Statement[]>> = new Map(
  Object.entries(TEMPLATES).map(([mnemonic, templates]) => [
    mnemonic,
    new Map(templates.map((template) => [arity(template), template.split("; ").map(split)])),
  ]),
);

function split(text: string): Statement {
  const [mnemonic = "", operands] = text.split(" ");
  return [mnemonic, ...(operands?.split(",") ?? [])];
}

/** @returns The instructions a statement stands for, or undefined if it is no pseudo-instruction with that many operands. */
export function expandPseudo([mnemonic, ...operands]: Statement): readonly Statement[] | undefined {
  const statements = parsed.get(mnemonic)?.get(operands.length);
  return statements?.map(([base, ...rest]) => [
    base,
    ...rest.map((operand) => operand.replace(/\$(\d)/g, (_, number) => operands[Number(number) - 1]!)),
  ]);
}

/**
 * @param value From -2^63 to 2^64 - 1.
 * @returns At most eight instructions that put it into a register.
 */
export function loadImmediate(rd: string, value: bigint): readonly Statement[] {
  const signed = BigInt.asIntN(64, value);
  if (BigInt.asIntN(12, signed) === signed) return [["addi", rd, "zero", String(signed)]];
  const low = BigInt.asIntN(12, signed);
  // Without its low part the rest may pass 2^63: shifting left again gives the same 64 bits.
  const rest = BigInt.asIntN(64, signed - low);
  if (BigInt.asIntN(32, signed) === signed) {
    const upper: Statement = ["lui", rd, String((rest >> 12n) & 0xfffffn)];
    return low === 0n ? [upper] : [upper, ["addiw", rd, rd, String(low)]];
  }
  let upper = rest >> 12n;
  let shift = 12;
  while ((upper & 1n) === 0n) {
    upper >>= 1n;
    shift++;
  }
  const statements: Statement[] = [...loadImmediate(rd, upper), ["slli", rd, rd, String(shift)]];
  return low === 0n ? statements : [...statements, ["addi", rd, rd, String(low)]];
}
