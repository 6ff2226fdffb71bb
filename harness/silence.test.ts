/** A replay that goes astray on a leaking machine says by which instruction. */
import { describe, expect, test } from "vitest";
import { assemble, full, leakyX86, rewritingTrap } from "../engine/mod.ts";
import type { Guest } from "./guests/mod.ts";
import { record, type Tape } from "./record.ts";
import { verify } from "./verify.ts";

const BASE = 0x8020_0000n;
/** Its user reads a leak, which is its own affair; then its kernel, in the handler, does. */
const SOURCE = `
  la t0, handler
  csrw stvec, t0
  la t0, user
  csrw sepc, t0
  sret
  .align 2
  handler:
  site: csrr a0, scause
  li a7, 0x10
  li a6, 3
  ecall
  li a7, 0x53525354
  li a6, 0
  li a0, 0
  ecall
  user: csrr t1, sscratch
  ecall
  j .
`;
const { bytes, labels } = assemble(SOURCE, { base: BASE });
const guest: Guest = {
  name: "astray",
  workload: "astray",
  memoryBytes: 4 << 20,
  load: async () => ({ kernel: bytes }),
};
const tapeOn = (profile: string): Promise<Tape> => record({ guest, profile, maxSteps: 1000 });

describe("a difference on a leaking machine", () => {
  test("names the first sensitive instruction of the kernel that ran without a trap", async () => {
    const { identity } = await verify(await tapeOn(leakyX86.name), { technique: full, unsound: true });
    const pc = `0x${labels.get("site")!.toString(16)}`;
    expect(identity.equal).toBe(false);
    expect(identity.firstDifference!.silent).toMatchObject({ pc, instruction: "csrrs a0,scause,zero" });
    expect(identity.firstDifference!.message).toContain(
      `\nThe first sensitive instruction that ran without a trap: csrrs a0,scause,zero at pc ${pc}, at step `,
    );
  });

  test("is not put down to what user code reads, which differs under rewriting too; there is none on a tight machine", async () => {
    const leaky = await verify(await tapeOn(leakyX86.name), { technique: rewritingTrap });
    expect(leaky.identity.equal).toBe(false);
    expect(leaky.identity.firstDifference).not.toHaveProperty("silent");
    const strict = await verify(await tapeOn("strict"), { technique: full });
    expect(strict.identity).toEqual({ level: "exact", equal: true, firstDifference: null });
  });

  test("names no instruction where none was silent", async () => {
    const { identity } = await verify(await tapeOn("leaky-min"), {
      technique: full,
      unsound: true,
      tamper: {
        atStep: 4,
        apply: (machine) => {
          machine.parts.platform.hart.x[10] = 5n;
          machine.parts.platform.hart.x[5] = 6n;
        },
      },
    });
    expect(identity.equal).toBe(false);
    expect(identity.firstDifference).not.toHaveProperty("silent");
  });
});
