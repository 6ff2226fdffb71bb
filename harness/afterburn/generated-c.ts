/**
 * C programs made from a seed, for the check of the afterburner: what a compiler makes of them is full of jumps, tables, strings and inline assembly
 * with sensitive instructions in every form that C can give them.
 *
 * @module
 */

/** Inline assembly with sensitive instructions, and with words that only look like them. */
const ASSEMBLY = [
  '__asm__ volatile("csrr %0, sepc" : "=r"(x));',
  '__asm__ volatile("csrw sscratch, %0" ::"r"(x));',
  '__asm__ volatile("csrw sscratch, %0" ::"rK"(7));',
  '__asm__ volatile("csrrci %0, sstatus, 2" : "=r"(x));',
  '__asm__ volatile("csrs sstatus, %0" ::"rK"(2) : "memory");',
  '__asm__ volatile("csrrw %0, sscratch, %0" : "+r"(x));',
  '__asm__ volatile("sfence.vma %0" ::"r"(x) : "memory");',
  '__asm__ volatile("1: csrr %0, scause; beqz %0, 1b\\n\\twfi # don\'t; sret\\n" : "=r"(x));',
  '__asm__ volatile("# csrr %0, sepc: a comment" : "=r"(x));',
  '__asm__ volatile(".pushsection .rodata; .string \\"wfi; sret # \\"; .popsection");',
  '__asm__ volatile("rdtime %0" : "=r"(x));',
  '__asm__ volatile("1: csrr %0, stval\\n2:\\n.pushsection __table, \\"a\\"\\n.dword 1b, 2b\\n.popsection" : "=r"(x));',
  '__asm__ volatile(".insn i 0x73, 2, %0, x0, 0x100" : "=r"(x));',
  '__asm__ volatile(".macro twice_%=\\ncsrr %0, sie\\ncsrr %0, sip\\n.endm\\ntwice_%=\\n.purgem twice_%=" : "=r"(x));',
];
const STRINGS = ["csrr t0, sepc", "wfi; sret", "# don't", "/* mret */", '\\"sfence.vma\\"', "1: csrw satp, a0\\n"];

/**
 * @param seed A whole number: each has its own program.
 * @returns A translation unit without includes.
 */
export function generatedC(seed: number): string {
  let state = (Math.imul(seed + 1, 0x9e37_79b1) >>> 0) | 1;
  const below = (limit: number): number => {
    // A linear congruential generator; its low bits repeat soon, so they are not used.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % limit;
  };
  const pick = (from: readonly string[]): string => from[below(from.length)]!;
  const statement = (depth: number): string => {
    switch (depth <= 0 ? below(4) : below(8)) {
      case 0:
        return `x = x * ${below(1000)} + y;`;
      case 1:
      case 2:
        return pick(ASSEMBLY);
      case 3:
        return `y ^= text("${pick(STRINGS)}")[x & 3];`;
      case 4:
        return `if (x > ${below(5000)}) { ${statement(depth - 1)} } else { ${statement(depth - 1)} }`;
      case 5:
        return `for (unsigned long i = 0; i < ${below(9) + 1}; i++) { ${statement(depth - 1)} table[i & 7] += x; }`;
      case 6: {
        const cases = Array.from({ length: 6 }, (_, value) => `case ${value}: ${statement(depth - 1)} break;`);
        return `switch (x & 7) { ${cases.join(" ")} default: y++; }`;
      }
      default:
        return `d = d * ${below(90) + 1}.5 + (double)x; y += (unsigned long)d;`;
    }
  };
  const functions = Array.from({ length: 1 + below(4) }, (_, index) => {
    const body = Array.from({ length: 3 + below(8) }, () => `  ${statement(2)}`);
    return [
      `unsigned long f${index}(unsigned long x, unsigned long y) {`,
      "  double d = 1.0;",
      ...body,
      "  return x + y;",
      "}",
    ].join("\n");
  });
  return [
    `/* Program ${seed}: wfi; csrr t0, sepc */`,
    "extern const char *text(const char *);",
    "unsigned long table[8];",
    ...functions,
    "",
  ].join("\n");
}
