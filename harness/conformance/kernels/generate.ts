/**
 * Generated kernels: small supervisor programs from a list of constructs, or from a seed.
 *
 * Each has a handler, two address spaces of Sv39 (and one of Sv48), four frames of data, a page of user code, and ends by a call of the SBI.
 *
 * Left out: disks.
 *
 * @module
 */
import { assemble, leakNames, type Profile, profileByName, type Tier } from "../../../engine/mod.ts";
import { Seeded } from "../seeded.ts";
import {
  CONSTRUCTS,
  FUNCTION,
  type Item,
  LAYOUT,
  NUMBERS,
  PLACES,
  type Place,
  USER_TEXT,
  VIRTUAL_TEXT,
  WINDOW,
} from "./constructs.ts";
import type { Firmware } from "./firmware.ts";

/** Tiers that techniques run generated kernels in; the bare machine interprets. */
export const TIERS: readonly Tier[] = ["interpreter", "jit", "reference"];
/** Profiles that generated kernels run on. */
export const KERNEL_PROFILES = ["strict", "extended", "svadu", "leaky-x86", "leaky-silent", "leaky-min"] as const;

/** A kernel, as what it was made of. */
export interface Kernel {
  readonly place: Place;
  readonly profile: (typeof KERNEL_PROFILES)[number];
  readonly tier: Tier;
  /** How often it runs through its items. */
  readonly passes: number;
  /** Steps between two digests. */
  readonly stride: number;
  readonly items: readonly Item[];
  /** The firmware that the machine starts in; null where the machine's own serves the kernel. */
  readonly firmware: Firmware | null;
}

/** The most items of a kernel, and the most passes. */
export const MOST_ITEMS = 30;
export const MOST_PASSES = 4;
export const STRIDES = { least: 50, most: 400 } as const;

export const profileOf = ({ profile }: Kernel): Profile => profileByName(profile)!;

/** @returns The kernel of a seed, the same on every host. */
export function kernelOf(seed: number): Kernel {
  const random = new Seeded(seed);
  const number = () => random.below(NUMBERS);
  const kernel: Kernel = {
    place: random.weighted([
      [5, PLACES[0]],
      [3, PLACES[1]],
      [2, PLACES[2]],
    ]),
    profile: random.pick(KERNEL_PROFILES),
    tier: random.pick(TIERS),
    passes: 1 + random.below(MOST_PASSES),
    stride: STRIDES.least + random.below(STRIDES.most - STRIDES.least),
    items: Array.from({ length: 5 + random.below(MOST_ITEMS - 4) }, () => [
      random.below(CONSTRUCTS.length),
      number(),
      number(),
      number(),
    ]),
    firmware: random.below(4) === 0 ? number() : null,
  };
  // What runs machine mode does not run where instructions leak, so that nothing would be compared.
  return leakNames(profileOf(kernel)).length > 0 ? { ...kernel, firmware: null } : kernel;
}

const entry = (address: number, physical: number, flags: number): string =>
  `li t0, ${address}\nli t1, ${(physical / 4096) * 1024 + flags}\nsd t1, 0(t0)\n`;

/** The tables of an address space; `order` is how its window shows the frames of data. */
function addressSpace(offset: number, order: readonly number[]): string {
  const root = LAYOUT.root + offset;
  const [superpages, pages] = [root + 0x1000, root + 0x2000];
  return [
    entry(root, 0, 0xcf),
    entry(root + 8, superpages, 1),
    entry(root + 16, 0x8000_0000, 0xcf),
    entry(root + 8 * 510, LAYOUT.high, 1),
    entry(superpages, pages, 1),
    entry(superpages + 8, LAYOUT.text, 0xcf),
    ...order.map((frame, page) => entry(pages + 8 * page, LAYOUT.data + 4096 * frame, page < 4 ? 0xcf : 0xdf)),
    // The user's code: four pages from where the assembler puts it.
    `la t2, user_base\nsrli t2, t2, 12\nslli t2, t2, 10\naddi t2, t2, 0xdf\nli t0, ${pages + (8 * (USER_TEXT - WINDOW)) / 4096}\n`,
    ..."0123".split("").map((page) => `sd t2, ${8 * Number(page)}(t0)\naddi t2, t2, 1024\n`),
  ].join("");
}

/** A word of a function: csrr t0, sscratch; ret. */
const FUNCTION_WORDS = "0x8067140022f3";

/** @returns The kernel's source; it is loaded at, and linked to, {@link LAYOUT}.text. */
export function sourceOf({ place, profile, passes, items }: Kernel): string {
  const userReadsCsrs = !profile.startsWith("leaky");
  const codes = items.map(([construct, a, b, c], id) => {
    const { name, code } = CONSTRUCTS[construct % CONSTRUCTS.length]!;
    const made = code([a, b, c], { id, place, userReadsCsrs });
    const { kernel, user = "" } = typeof made === "string" ? { kernel: made } : made;
    return { kernel: `# ${name}\nla s9, next_${id}\n${kernel}\n.balign 2\nnext_${id}:\n`, user };
  });
  const translation =
    place === "bare" ? "" : "li t1, 8\nslli t1, t1, 60\nli t2, 0x80300\nor t1, t1, t2\ncsrw satp, t1\n";
  const high = VIRTUAL_TEXT - BigInt(LAYOUT.text);
  const jump = place === "high" ? `li t0, ${high}\nla t1, running\nadd t0, t0, t1\njr t0\n` : "";
  return `start: j boot
.balign ${FUNCTION}
.dword ${FUNCTION_WORDS}
.balign 256
vector:
${"j handler\n".repeat(16)}handler:
csrr s11, scause
csrr s10, stval
bltz s11, interrupted
csrr tp, sepc
csrw sepc, s9
li tp, 0x100
csrs sstatus, tp
sret
interrupted: li tp, 1
sll tp, tp, s11
csrc sie, tp
csrci sip, 2
sret
boot:
${addressSpace(0, [0, 1, 2, 3, 0, 1, 2, 3])}
${addressSpace(LAYOUT.second, [3, 2, 1, 0, 3, 2, 1, 0])}
${entry(LAYOUT.high + 8, LAYOUT.text, 0xcf)}
${entry(LAYOUT.fourLevels, LAYOUT.root, 1)}${entry(LAYOUT.fourLevels + 8 * 511, LAYOUT.root, 1)}
li t1, ${FUNCTION_WORDS}
${[0, 1, 2, 3].map((frame) => `li t0, ${LAYOUT.data + 4096 * frame + FUNCTION}\nsd t1, 0(t0)\n`).join("")}
${translation}${jump}running:
la t0, vector
csrw stvec, t0
li t0, 0x2000
csrs sstatus, t0
li s8, ${passes}
again:
${codes.map(({ kernel }) => kernel).join("")}
addi s8, s8, -1
beqz s8, over
j again
over: csrci sstatus, 2
li a7, 0x53525354
li a6, 0
li a0, 0
li a1, 0
ecall
.balign 4096
user_base:
${codes.map(({ user }) => user).join("")}
ebreak
`;
}

/** @returns What is loaded of a source. */
export const assembled = (source: string): Uint8Array => assemble(source, { base: BigInt(LAYOUT.text) }).bytes;
