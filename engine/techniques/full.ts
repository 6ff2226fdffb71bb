/**
 * Full virtualization: run the guest's kernel deprivileged, and emulate each instruction that traps.
 *
 * Sound only if every sensitive instruction is privileged (Popek and Goldberg 1974, theorem 1).
 *
 * @module
 */
import type { Technique } from "../vmm/technique.ts";
import { unexpected } from "./unexpected.ts";

export const full: Technique = {
  name: "full",
  port: "bare",
  requires: ["all-sensitive-trap"],
  machineMode: true,
  on: {
    "privileged-instruction": (_, { vcpu }) => {
      // The guest's user code may not run it either: that trap is the guest kernel's to see.
      if (vcpu.mode === "user") return "reflect";
      return vcpu.emulate() ? "after" : "reflect";
    },
    // The shadow page table holds the missing entry now, unless the guest's own table does not allow the access.
    "page-fault": (exit) => (exit.hidden ? "again" : "reflect"),
    "device-access": (_, { vcpu }) => (vcpu.emulateAccess() ? "after" : "reflect"),
    "environment-call": (exit, { vcpu }) => {
      if (exit.call === "system") return "reflect";
      vcpu.callFirmware();
      return "after";
    },
    exception: () => "reflect",
    // It stays pending until the guest enables it; the VMM injects it then.
    interrupt: () => "again",
    halt: (_, { vcpu }) => {
      if (vcpu.mode === "user") return "reflect";
      return vcpu.wait() ? "after" : "reflect";
    },
    // An unmodified guest knows of no VMM, so it makes no hypercalls, and nobody rewrote it.
    hypercall: unexpected,
    "rewritten-site": unexpected,
    "code-access": unexpected,
    // Whatever the instruction is: the whole of it may lie where none can be fetched through a shadow.
    "protected-access": (_, { vcpu }) => (vcpu.emulateSite() ? "after" : "reflect"),
    "table-write": unexpected,
  },
};
