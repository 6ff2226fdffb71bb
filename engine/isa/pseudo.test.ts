import { describe, expect, test } from "vitest";
import { expandPseudo, loadImmediate, type Statement } from "./pseudo.ts";

/** Pseudo-instructions and what the GNU assembler 2.40 makes of them. */
const EXPANSIONS: readonly (readonly [pseudo: string, ...instructions: string[]])[] = [
  ["nop", "addi zero,zero,0"],
  ["mv a0,a1", "addi a0,a1,0"],
  ["not a0,a1", "xori a0,a1,-1"],
  ["neg a0,a1", "sub a0,zero,a1"],
  ["negw a0,a1", "subw a0,zero,a1"],
  ["sext.w a0,a1", "addiw a0,a1,0"],
  ["zext.b a0,a1", "andi a0,a1,255"],
  ["seqz a0,a1", "sltiu a0,a1,1"],
  ["snez a0,a1", "sltu a0,zero,a1"],
  ["sltz a0,a1", "slt a0,a1,zero"],
  ["sgtz a0,a1", "slt a0,zero,a1"],
  ["la a0,x", "auipc a0,%pcrel_hi(x)", "addi a0,a0,%pcrel_lo(x)"],
  ["j x", "jal zero,x"],
  ["jal x", "jal ra,x"],
  ["jr a0", "jalr zero,a0"],
  ["jalr a0", "jalr ra,a0"],
  ["call x", "auipc ra,%pcrel_hi(x)", "jalr ra,%pcrel_lo(x)(ra)"],
  ["tail x", "auipc t1,%pcrel_hi(x)", "jalr zero,%pcrel_lo(x)(t1)"],
  ["ret", "jalr zero,0(ra)"],
  ["beqz a0,x", "beq a0,zero,x"],
  ["bnez a0,x", "bne a0,zero,x"],
  ["blez a0,x", "bge zero,a0,x"],
  ["bgez a0,x", "bge a0,zero,x"],
  ["bltz a0,x", "blt a0,zero,x"],
  ["bgtz a0,x", "blt zero,a0,x"],
  ["bgt a0,a1,x", "blt a1,a0,x"],
  ["ble a0,a1,x", "bge a1,a0,x"],
  ["bgtu a0,a1,x", "bltu a1,a0,x"],
  ["bleu a0,a1,x", "bgeu a1,a0,x"],
  ["csrr a0,sepc", "csrrs a0,sepc,zero"],
  ["csrw sepc,a0", "csrrw zero,sepc,a0"],
  ["csrs sepc,a0", "csrrs zero,sepc,a0"],
  ["csrc sepc,a0", "csrrc zero,sepc,a0"],
  ["csrwi sepc,1", "csrrwi zero,sepc,1"],
  ["csrsi sepc,1", "csrrsi zero,sepc,1"],
  ["csrci sepc,1", "csrrci zero,sepc,1"],
  ["rdtime a0", "csrrs a0,time,zero"],
  ["rdcycle a0", "csrrs a0,cycle,zero"],
  ["rdinstret a0", "csrrs a0,instret,zero"],
  ["frcsr a0", "csrrs a0,fcsr,zero"],
  ["fscsr a0", "csrrw zero,fcsr,a0"],
  ["fscsr a0,a1", "csrrw a0,fcsr,a1"],
  ["frrm a0", "csrrs a0,frm,zero"],
  ["fsrm a0", "csrrw zero,frm,a0"],
  ["fsrm a0,a1", "csrrw a0,frm,a1"],
  ["fsrmi 1", "csrrwi zero,frm,1"],
  ["fsrmi a0,1", "csrrwi a0,frm,1"],
  ["frflags a0", "csrrs a0,fflags,zero"],
  ["fsflags a0", "csrrw zero,fflags,a0"],
  ["fsflags a0,a1", "csrrw a0,fflags,a1"],
  ["fsflagsi 1", "csrrwi zero,fflags,1"],
  ["fsflagsi a0,1", "csrrwi a0,fflags,1"],
  ["fence", "fence iorw,iorw"],
  ["sfence.vma", "sfence.vma zero,zero"],
  ["sfence.vma a0", "sfence.vma a0,zero"],
  ["fmv.s fa0,fa1", "fsgnj.s fa0,fa1,fa1"],
  ["fabs.s fa0,fa1", "fsgnjx.s fa0,fa1,fa1"],
  ["fneg.s fa0,fa1", "fsgnjn.s fa0,fa1,fa1"],
  ["fmv.d fa0,fa1", "fsgnj.d fa0,fa1,fa1"],
  ["fabs.d fa0,fa1", "fsgnjx.d fa0,fa1,fa1"],
  ["fneg.d fa0,fa1", "fsgnjn.d fa0,fa1,fa1"],
];

function statement(text: string): Statement {
  const [mnemonic = "", operands] = text.split(" ");
  return [mnemonic, ...(operands?.split(",") ?? [])];
}

describe("a pseudo-instruction", () => {
  test.each(EXPANSIONS)("stands for other instructions: %s", (pseudo, ...instructions) => {
    expect(expandPseudo(statement(pseudo))).toEqual(instructions.map(statement));
  });

  test("is one only with the operands that it takes", () => {
    expect(expandPseudo(["jal", "ra", "x"])).toBeUndefined();
    expect(expandPseudo(["mv", "a0"])).toBeUndefined();
    expect(expandPseudo(["add", "a0", "a1", "a2"])).toBeUndefined();
  });
});

test("loading an immediate takes at most eight instructions", () => {
  expect(loadImmediate("a0", 0x7fff_ffffn)).toEqual([
    ["lui", "a0", String(0x80000)],
    ["addiw", "a0", "a0", "-1"],
  ]);
  expect(loadImmediate("a0", 0x1234_5678_9abc_def0n)).toHaveLength(8);
});
