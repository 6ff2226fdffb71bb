/**
 * Pre-virtualization: an afterburned kernel, one binary for the bare machine and for every VMM, is patched in place when it runs under this one.
 *
 * Its file records where its sensitive instructions are. The wedge, code that the hart runs, replaces them in copies of its pages by ones that
 * work on the virtual CPU's state in memory. What it leaves, and what the afterburner did not see, traps, and is emulated as under full
 * virtualization, so every sensitive instruction must be privileged.
 *
 * Source: LeVasseur et al., "Pre-virtualization: soft layering for virtual machines", ACSAC 2008.
 *
 * @module
 */
import type { Technique } from "../vmm/technique.ts";
import { full } from "./full.ts";
import { rewritingTrap } from "./rewriting.ts";

export const pre: Technique = {
  ...full,
  name: "pre",
  port: "pre",
  machineMode: false,
  prepare: (mechanisms) => mechanisms.patchAnnotatedCode(),
  on: {
    ...full.on!,
    // A stub that found an interrupt waiting, and a jump into the inside of a site.
    "rewritten-site": rewritingTrap.on!["rewritten-site"],
    "code-access": rewritingTrap.on!["code-access"],
  },
};
