/**
 * The machine that is compared with QEMU 7.2: every extension that both have.
 *
 * Left out, as QEMU 7.2 does not have them: Zicbom, Zicboz, Zawrs and Svadu.
 *
 * @module
 */
import { CSRS, type Csr, extended, INSTRUCTIONS, type Instruction, type Profile } from "../../engine/mod.ts";

const ABSENT = ["zicbom", "zicboz", "zawrs"];

export const COMPARED: Profile = {
  ...extended,
  name: "compared",
  extensions: extended.extensions.filter((extension) => !ABSENT.includes(extension)),
};
/** QEMU's options for the same machine. AIA's priorities of interrupts are the specification's; without it, QEMU takes the lowest cause. */
export const QEMU_CPU = "rv64,h=off,zba=on,zbb=on,zbc=off,zbs=on,sstc=on,pmu-num=29,x-smaia=on,x-ssaia=on";

const has = (extension: string | undefined) => extension === undefined || COMPARED.extensions.includes(extension);
/** Its instructions. */
export const ROWS: readonly Instruction[] = INSTRUCTIONS.filter(({ extension }) => has(extension));
/** Its CSRs. */
export const REGISTERS: readonly Csr[] = CSRS.filter(({ extension }) => has(extension));
