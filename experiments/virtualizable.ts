/** Which machines are virtualizable: is trap-and-emulate possible if, and only if, all sensitive instructions are privileged? */
import { hutch } from "trapline/guests";
import { experiment, full, inOrder, native, PROFILES } from "trapline/harness";
import { exitsByReason, virtualizability } from "trapline/reports";

export default experiment({
  question: "Is trap-and-emulate possible if, and only if, all sensitive instructions are privileged?",
  guest: hutch.running("null-syscall 200"),
  techniques: [native, full],
  audit: PROFILES,
  costs: [inOrder],
  reports: [virtualizability(), exitsByReason()],
});
