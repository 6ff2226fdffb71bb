/**
 * Binary rewriting: run copies of the guest kernel's code in which the sensitive instructions are replaced, and emulate those.
 *
 * Needs nothing of the machine: what does not trap by itself is made to. Everything that traps anyway is handled as full virtualization does.
 *
 * @module
 */
import type { Technique } from "../vmm/technique.ts";
import { full } from "./full.ts";

/** Each site is a trap. */
export const rewritingTrap: Technique = {
  name: "rewriting",
  variant: "trap",
  port: "bare",
  requires: [],
  prepare: (mechanisms) => mechanisms.rewriteKernelCode({ inline: false }),
  on: {
    ...full.on!,
    "rewritten-site": (_, { vcpu }) => (vcpu.emulateSite() ? "after" : "reflect"),
    // The page is mapped to be executed only, so that the guest reads and writes its own bytes, not the copy's.
    "code-access": (_, { vcpu }) => (vcpu.emulateInstruction() ? "after" : "reflect"),
  },
};

/** Each site works on the state page where it can, by one instruction or by a jump to a stub; the others trap. */
export const rewritingInline: Technique = {
  ...rewritingTrap,
  variant: "inline",
  prepare: (mechanisms) => mechanisms.rewriteKernelCode({ inline: true }),
};
