/**
 * The wedge's patcher: RISC-V code that the hart runs in user mode, in an address space of its own, to patch a copy of a page of an afterburned
 * guest's code. It looks through the guest's own records of its sites, reads each instruction, picks the form that does the same on the
 * state page (`inline.ts`), puts the instruction's registers into it, and writes it in place where it fits, or into a stub.
 *
 * The forms come to it as data: words with a note of which field takes which operand.
 *
 * A record is the guest's word: what it says is looked at before anything is written.
 *
 * Left out: records that point into the middle of an instruction (`trapline afterburn --scan` refuses such a file), sites that cross a page, records of other classes than CSR instructions; these are left as they are, and trap.
 *
 * @module
 */
import { PAGE_BYTES } from "../hart/memory.ts";
import { assemble } from "../isa/assemble.ts";
import { findInstruction } from "../isa/instructions.ts";
import { SITE_RECORD, SITE_RECORD_BYTES } from "../isa/sites.ts";
import { assembleForm, CSR_PLACES, FORMS, type FormName, SEPC, SIE, SSTATUS } from "./inline.ts";
import { STUB_PAGES } from "./stubs.ts";

/** Where its pages are in its own address space. */
export const WEDGE = {
  code: 0x1_0000,
  data: 0x1_1000,
  copy: 0x1_2000,
  stubs: 0x1_3000,
  records: 0x2_0000,
} as const;

const PAD = findInstruction("pad")!.match;
const NAMES = Object.keys(FORMS) as FormName[];
const OPERANDS = ["rd", "rs1", "t"] as const;
/** Places of register fields in an instruction. */
const FIELDS = [7, 15, 20] as const;
const I_IMMEDIATE = 0x40;
const S_IMMEDIATE = 0x80;
const WRITABLE = 0x8000;
const END = 0xffff;

/** Offsets in the data page: the operands' values, the CSRs' places, where each form is and how long. */
const CSRS = 0x10;
const TABLE = 0x80;
const TEMPLATES = 0x100;

/** What the data page holds. */
export function wedgeData(): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [i, { number, offset, held }] of CSR_PLACES.entries()) {
    view.setUint16(CSRS + 4 * i, number, true);
    view.setUint16(CSRS + 4 * i + 2, (offset & 0xfff) | (held ? WRITABLE : 0), true);
  }
  view.setUint16(CSRS + 4 * CSR_PLACES.length, END, true);
  let at = TEMPLATES;
  for (const [i, name] of NAMES.entries()) {
    const template = templateOf(name);
    view.setUint16(TABLE + 4 * i, at, true);
    view.setUint16(TABLE + 4 * i + 2, template.length, true);
    for (const { word, fields } of template) {
      view.setUint32(at, word, true);
      view.setUint32(at + 4, fields, true);
      at += 8;
    }
  }
  return bytes;
}

/** A form's words with all operands 0, and which of their fields take which. */
function templateOf(name: FormName): readonly { readonly word: number; readonly fields: number }[] {
  const none = { rd: 0, rs1: 0, t: 0, csr: 0 };
  const base = assembleForm(name, none);
  const changed = (operands: Partial<typeof none>) =>
    assembleForm(name, { ...none, ...operands }).map((word, i) => word ^ base[i]!);
  const places = OPERANDS.map((operand) => changed({ [operand]: 31 }));
  const csr = changed({ csr: -1 });
  return base.map((word, i) => {
    let fields = csr[i] === 0 ? 0 : (csr[i]! & (31 << 7)) !== 0 ? S_IMMEDIATE : I_IMMEDIATE;
    for (const [operand, words] of places.entries())
      for (const [field, place] of FIELDS.entries())
        if ((words[i]! & (31 << place)) !== 0) fields |= (operand + 1) << (2 * field);
    return { word, fields };
  });
}

const partAt = (name: (typeof SITE_RECORD)[number][0]): number => {
  let offset = 0;
  for (const [part, bytes] of SITE_RECORD) {
    if (part === name) return offset;
    offset += bytes;
  }
  throw new RangeError(`Cannot read a record as it must have the part ${name}`);
};
const form = (name: FormName): number => NAMES.indexOf(name);
/** An operand's value, put into a field of the word in t0. */
const insert = (field: number): string => `
  srli t2, t1, ${2 * field}
  andi t2, t2, 3
  slli t2, t2, 2
  add t2, t2, s5
  lw t2, 0(t2)
  slli t2, t2, ${FIELDS[field]}
  or t0, t0, t2`;
/** The word at t0 to the even address in a6. */
const STORE = `
  sh t0, 0(a6)
  srli t0, t0, 16
  sh t0, 2(a6)`;
/** jal x0 by the distance in t0, into t0. */
const JUMP = `
  srli t1, t0, 20
  andi t1, t1, 1
  slli t1, t1, 31
  srli t2, t0, 1
  andi t2, t2, 0x3ff
  slli t2, t2, 21
  or t1, t1, t2
  srli t2, t0, 11
  andi t2, t2, 1
  slli t2, t2, 20
  or t1, t1, t2
  srli t2, t0, 12
  andi t2, t2, 0xff
  slli t2, t2, 12
  or t1, t1, t2
  ori t0, t1, 0x6f`;

/**
 * Arguments: s0 and s1, the records and their end; s2, the page's number; s6, where stubs may begin in their page; s8, where they must end.
 * Ends with ebreak.
 */
const SOURCE = `
  li s3, ${WEDGE.copy}
  li s4, ${WEDGE.stubs}
  li s5, ${WEDGE.data}
  li s7, ${STUB_PAGES * PAGE_BYTES}
loop:
  bgeu s0, s1, done
  ld t0, ${partAt("address")}(s0)
  lhu t1, ${partAt("treatment")}(s0)
  lhu a1, ${partAt("padding")}(s0)
  lhu t2, ${partAt("length")}(s0)
  addi s0, s0, ${SITE_RECORD_BYTES}
  bnez t1, loop
  li t3, 4
  bne t2, t3, loop
  srli t3, t0, 12
  bne t3, s2, loop
  slli a0, t0, 52
  srli a0, a0, 52
  addi a1, a1, 4
  add t3, a0, a1
  li t4, ${PAGE_BYTES}
  bgtu t3, t4, loop
  # Only pads may be written over besides: a record may say anything.
  andi t1, a0, 1
  bnez t1, loop
  andi t1, a1, 3
  bnez t1, loop
  add a2, s3, a0
  li t4, ${PAD}
  addi t3, a2, 4
  add t5, a2, a1
pads:
  bgeu t3, t5, padded
  lhu t0, 0(t3)
  lhu t1, 2(t3)
  slli t1, t1, 16
  or t0, t0, t1
  bne t0, t4, loop
  addi t3, t3, 4
  j pads
padded:
  # The instruction, and what it is made of.
  lhu t0, 0(a2)
  lhu t1, 2(a2)
  slli t1, t1, 16
  or a3, t0, t1
  andi t0, a3, 0x7f
  li t1, 0x73
  bne t0, t1, loop
  srli a4, a3, 7
  andi a4, a4, 31
  srli a5, a3, 15
  andi a5, a5, 31
  srli a6, a3, 12
  andi a6, a6, 7
  srli a7, a3, 20
  andi t0, a6, 3
  beqz t0, loop
  li t6, 5
  bne a4, t6, operands
  li t6, 6
operands:
  sw a4, 4(s5)
  sw a5, 8(s5)
  sw t6, 12(s5)
  li s9, 0
  li t0, ${SSTATUS}
  beq a7, t0, status
  addi t1, s5, ${CSRS}
find:
  lhu t2, 0(t1)
  lhu t3, 2(t1)
  addi t1, t1, 4
  li t4, ${END}
  beq t2, t4, loop
  bne t2, a7, find
  slli s9, t3, 52
  srai s9, s9, 52
  srli s10, t3, 15
  andi t0, a6, 3
  li t1, 1
  beq t0, t1, write
  bnez a5, loop
  beqz a4, loop
  li t2, ${form("read")}
  li t0, ${SEPC}
  bne a7, t0, emit
  li t2, ${form("read-epc")}
  j emit
write:
  beqz s10, loop
  andi t0, a6, 4
  beqz t0, value
  bnez a5, loop
value:
  li t2, ${form("write")}
  beqz a4, emit
  li t0, ${SEPC}
  beq a7, t0, loop
  li t2, ${form("swap")}
  bne a4, a5, emit
  li t2, ${form("swap-same")}
  j emit
status:
  andi t0, a6, 3
  li t1, 1
  beq t0, t1, loop
  bnez a5, flip
  beqz a4, loop
  li t2, ${form("status")}
  j emit
flip:
  andi t0, a6, 4
  beqz t0, loop
  li t0, ${SIE}
  bne a5, t0, loop
  li t0, 7
  beq a6, t0, close
  li t2, ${form("open")}
  beqz a4, emit
  li t2, ${form("open-status")}
  j emit
close:
  li t2, ${form("close")}
  beqz a4, emit
  li t2, ${form("close-status")}
emit:
  slli t2, t2, 2
  add t2, t2, s5
  lhu a3, ${TABLE}(t2)
  lhu t3, ${TABLE + 2}(t2)
  add a3, a3, s5
  slli t4, t3, 2
  mv a6, a2
  li s11, 0
  bleu t4, a1, body
  # A place where the second half of the site's jump is no instruction.
  mv t5, s6
place:
  sub t0, t5, a0
  sub t0, t0, s7
  andi t0, t0, 0x600
  beqz t0, placed
  addi t5, t5, 4
  j place
placed:
  add t0, t5, t4
  addi t0, t0, 4
  bgtu t0, s8, loop
  mv s6, t0
  add a6, s4, t5
  li s11, 1
body:
  lw t0, 0(a3)
  lw t1, 4(a3)
  addi a3, a3, 8
${[0, 1, 2].map(insert).join("\n")}
  andi t2, t1, ${I_IMMEDIATE}
  beqz t2, stores
  slli t2, s9, 20
  or t0, t0, t2
stores:
  andi t2, t1, ${S_IMMEDIATE}
  beqz t2, word
  srli t2, s9, 5
  slli t2, t2, 25
  or t0, t0, t2
  andi t2, s9, 31
  slli t2, t2, 7
  or t0, t0, t2
word:
${STORE}
  addi a6, a6, 4
  addi t3, t3, -1
  bnez t3, body
  beqz s11, loop
  # Back behind the site, and from the site to the stub.
  add t0, a0, a1
  add t0, t0, s7
  sub t1, a6, s4
  sub t0, t0, t1
${JUMP}
${STORE}
  sub t0, t5, a0
  sub t0, t0, s7
${JUMP}
  mv a6, a2
${STORE}
  j loop
done:
  ebreak
`;

/** The patcher's code. */
export const wedgeCode = (): Uint8Array => assemble(SOURCE, { base: BigInt(WEDGE.code) }).bytes;
