/**
 * Para-virtualization: the guest's kernel is ported to the VMM. It keeps interrupts and trap state in the state page and makes hypercalls
 * where it would use sensitive instructions.
 *
 * Needs nothing of the machine: a ported kernel executes nothing sensitive. What it executes all the same is emulated where it traps.
 *
 * @module
 */
import type { Technique } from "../vmm/technique.ts";
import { full } from "./full.ts";

export const para: Technique = {
  name: "para",
  port: "para",
  requires: [],
  prepare: (mechanisms) => mechanisms.answerHypercalls(),
  on: {
    ...full.on!,
    hypercall: ({ call }, { vcpu }) => {
      vcpu.hypercall(call);
      return "after";
    },
    // Page tables that the guest has said are such change by hypercall; a store is carried out all the same.
    "table-write": (_, { vcpu }) => (vcpu.emulateInstruction() ? "after" : "reflect"),
  },
};
