/**
 * Ported kernels for tests: hypercalls in assembly, and what they answered.
 *
 * @module
 */
import { boot, MEMORY_BYTES, x } from "../boot.fixture.ts";
import type { MachineConfig } from "../create.ts";
import type { Machine } from "../machine/machine.ts";
import { para } from "../techniques/para.ts";
import { CALL, EXTENSION, type HypercallName } from "./hypercalls.ts";

export const RAM_END = BigInt(0x8000_0000 + MEMORY_BYTES);
export const TABLE = 0x8030_0000n;
export const [NOT_SUPPORTED, INVALID_PARAM, DENIED, INVALID_ADDRESS] = [-2n, -3n, -4n, -5n].map((error) =>
  BigInt.asUintN(64, error),
) as [bigint, bigint, bigint, bigint];

export type Argument = number | bigint;
export const call = (name: HypercallName | number, a0: Argument = 0, a1: Argument = 0, a2: Argument = 0): string =>
  `li a7, ${EXTENSION}\nli a6, ${typeof name === "number" ? name : CALL[name]}\nli a0, ${a0}\nli a1, ${a1}\nli a2, ${a2}\necall\n`;
export const STAY = "1: j 1b\n";

export const ported = (source: string, options: Partial<MachineConfig> = {}): Machine =>
  boot(source, { technique: para, ...options });
/** Runs a kernel that ends in a loop, or by itself. */
export function ran(source: string, steps = 4000): Machine {
  const machine = ported(`${source}\n${STAY}`);
  machine.run(steps);
  return machine;
}
/** What one call answers: error and value. */
export function answered(...made: Parameters<typeof call>): [error: bigint, value: bigint] {
  const machine = ran(call(...made), 60);
  return [x(machine, 10), x(machine, 11)];
}
export const put = (address: bigint, value: bigint): string => `li t0, ${address}\nli t1, ${value}\nsd t1, 0(t0)\n`;
