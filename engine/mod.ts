/**
 * The engine: a RISC-V machine, its virtual-machine monitors, and the log of all that happens on it.
 *
 * Reading order: `event/event.ts`, `isa/table.ts`, `hart/hart.ts`, `hart/privileged.ts`, `machine/machine.ts`, `boards/virt.ts`, `vmm/vmm.ts`, `techniques/full.ts`.
 *
 * @module
 */
export { DISK_DEVICES, type DiskDevice } from "./boards/virt.ts";
export { createMachine, type MachineConfig } from "./create.ts";
export * from "./event/event.ts";
export { Log } from "./event/log.ts";
export { KIND_NUMBER, type LogBatch } from "./event/record.ts";
export type { Tier } from "./hart/hart.ts";
export { PTE } from "./hart/translations.ts";
export { type Assembly, assemble } from "./isa/assemble.ts";
export { COMPRESSED_PATTERNS, type CompressedPattern, findCompressed } from "./isa/compressed.ts";
export { CSRS, type Csr, csrByName, csrByNumber, csrsOf } from "./isa/csr.ts";
export { type Decoded, decode, decodeAt } from "./isa/decode.ts";
export { disassemble } from "./isa/disassemble.ts";
export { type EncodeOperands, encode } from "./isa/encode.ts";
export { evaluate } from "./isa/expression.ts";
export { findInstruction, INSTRUCTIONS, type Instruction } from "./isa/instructions.ts";
export {
  extended,
  leakNames,
  leakyMin,
  leakySilent,
  leakyX86,
  PROFILES,
  type Profile,
  profileByName,
  regions,
  strict,
  sv48,
  svadu,
} from "./isa/profile.ts";
export { expandPseudo, PSEUDO_MNEMONICS } from "./isa/pseudo.ts";
export { registerNumber } from "./isa/registers.ts";
export {
  readSites,
  SITE_CLASSES,
  SITE_RECORD,
  SITE_RECORD_BYTES,
  SITE_SECTION,
  SITE_TREATMENTS,
  type Site,
  type SiteClass,
  type SiteTreatment,
  siteClassOf,
} from "./isa/sites.ts";
export type { Digest } from "./machine/digest.ts";
export { type ElfSection, elfSections } from "./machine/elf-sections.ts";
export { ImageError, symbolsOf } from "./machine/image.ts";
export { Machine, type MachineStop, type Observer, type UserMoment } from "./machine/machine.ts";
export type { End } from "./machine/platform.ts";
export { full } from "./techniques/full.ts";
export { TECHNIQUES } from "./techniques/list.ts";
export { native } from "./techniques/native.ts";
export { para } from "./techniques/para.ts";
export { pre } from "./techniques/pre.ts";
export { rewritingInline, rewritingTrap } from "./techniques/rewriting.ts";
export { shadowed, shadowedBy } from "./techniques/shadowed.ts";
export { unexpected } from "./techniques/unexpected.ts";
export type { Exit, ExitReason } from "./vmm/exit.ts";
export { CALL as HYPERCALL, EXTENSION as HYPERCALL_EXTENSION, type HypercallName } from "./vmm/hypercalls.ts";
export { brokenShadow } from "./vmm/shadow-invariants.ts";
export type { ShadowOptions } from "./vmm/shadow-options.ts";
export { FIELDS as STATE_FIELDS } from "./vmm/state-page.ts";
export type { ExitHandlers, Mechanisms, Requirement, Technique, TechniqueContext, Verdict } from "./vmm/technique.ts";
export { guardVmmMemory } from "./vmm/vmm-memory.ts";
