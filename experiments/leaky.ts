/** Why is trap-and-emulate not enough on a machine that leaks, as IA-32 did, and is rewriting the kernel's code? */
import { hutch } from "trapline/guests";
import { experiment, full, inOrder, leakyX86, native, rewritingTrap } from "trapline/harness";
import { exitsByReason, slowdown } from "trapline/reports";

export default experiment({
  question:
    "Why is trap-and-emulate not enough on a machine that leaks, as IA-32 did, and is rewriting the kernel's code?",
  guest: hutch.running("null-syscall 1000"),
  profile: leakyX86,
  techniques: [native, full, rewritingTrap],
  // Its kernel reads and writes what is the VMM's, and must be seen to go astray.
  unsound: [full],
  costs: [inOrder],
  reports: [slowdown({ baseline: native }), exitsByReason()],
});
