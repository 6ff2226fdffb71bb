import { describe, expect, test } from "vitest";
import { BASE, boot } from "./boot.fixture.ts";
import { createMachine, type MachineConfig } from "./create.ts";
import { assemble } from "./isa/assemble.ts";
import { strict } from "./isa/profile.ts";
import { nodeAt, readDeviceTree, writeDeviceTree } from "./machine/device-tree.ts";
import { ImageError } from "./machine/image.ts";
import { full } from "./techniques/full.ts";
import { native } from "./techniques/native.ts";
import { para } from "./techniques/para.ts";
import { pre } from "./techniques/pre.ts";
import { rewritingInline, rewritingTrap } from "./techniques/rewriting.ts";
import type { Technique } from "./vmm/technique.ts";

const kernel = assemble("j .", { base: BASE }).bytes;
const made = (options: Partial<MachineConfig> = {}) => boot("j .", options);
/** The device tree that the guest is given the address of. */
function treeOf(options: Partial<MachineConfig> = {}) {
  const { hart, memory } = made(options).parts.platform;
  const at = Number(hart.x[11]);
  return readDeviceTree(memory.view(at, 64 * 1024));
}
const text = (bytes: Uint8Array | undefined) => String.fromCharCode(...(bytes ?? []).slice(0, -1));

describe("a machine's memory", () => {
  test.each([0, -4096, 1, 4095, (4 << 20) | 1, 4096.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "cannot be %s bytes",
    (memoryBytes) => {
      expect(() => made({ memoryBytes })).toThrow(
        new RangeError(`Cannot make a machine as its memory must be a multiple of 4 KiB: ${memoryBytes} bytes`),
      );
    },
  );
  test.each([2 ** 32, 2 ** 40])("cannot be %s bytes, as it lies in a 32-bit memory", (memoryBytes) => {
    expect(() => made({ memoryBytes })).toThrow(
      new RangeError(`Cannot make a machine as its memory is at most 3 GiB: ${memoryBytes} bytes`),
    );
  });
  test("too small for the kernel, or for what goes with it, is said to be", () => {
    expect(() => made({ memoryBytes: 1 << 20 })).toThrow(ImageError);
    expect(() => made({ memoryBytes: 2 << 20 })).toThrow(/^Cannot load kernel as it must fit into RAM/);
    expect(() => made({ memoryBytes: (2 << 20) + 4096 })).toThrow(/^Cannot place boot data as they must fit into RAM/);
    expect(() => made({ initrd: new Uint8Array(2 << 20) })).toThrow(
      /^Cannot place boot data as they must fit into RAM/,
    );
    expect(() => made({ kernel: new Uint8Array(0) })).toThrow(
      "Cannot load kernel as an image has at least one byte: the file is empty",
    );
  });
});

describe("a device tree of the user's own", () => {
  const own = writeDeviceTree(readDeviceTree(blobOf()));
  function blobOf(): Uint8Array {
    const { hart, memory } = made().parts.platform;
    return memory.view(Number(hart.x[11]), 64 * 1024).slice();
  }

  test.each([
    ["an empty file", new Uint8Array(0), "its header has 40 bytes: the file has 0"],
    ["a file of something else", new Uint8Array(64).fill(7), "it must start with d00dfeed: 07070707"],
    [
      "a tree that is cut",
      own.subarray(0, own.length - 1),
      `it must be whole: totalsize is ${own.length}, the file has ${own.length - 1} bytes`,
    ],
  ])("that is %s is refused", (_, dtb, found) => {
    expect(() => made({ dtb })).toThrow(new RangeError(`Cannot read device tree as ${found}`));
  });
  test("broken at any of its words is refused, or read as a tree", () => {
    let refused = 0;
    for (let at = 0; at < own.length; at += 4) {
      const broken = own.slice();
      broken[at]! ^= 0x80;
      try {
        readDeviceTree(broken);
      } catch (error) {
        expect((error as Error).message).toMatch(/^Cannot read device tree as /);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
  test("is given as it is, byte by byte", () => {
    const { hart, memory } = made({ dtb: own }).parts.platform;
    expect(memory.view(Number(hart.x[11]), own.length)).toEqual(own);
  });
  test("is told of the command line and the initial RAM disk", () => {
    const initrd = Uint8Array.of(1, 2, 3);
    const chosen = nodeAt(treeOf({ dtb: own, append: "root=/dev/vda", initrd }), "/chosen");
    expect(text(chosen?.properties.get("bootargs"))).toBe("root=/dev/vda");
    const cells = (name: string) =>
      new DataView((chosen?.properties.get(name) ?? new Uint8Array(8)).slice().buffer).getBigUint64(0);
    expect(cells("linux,initrd-end") - cells("linux,initrd-start")).toBe(3n);
    const { memory } = made({ dtb: own, append: "root=/dev/vda", initrd }).parts.platform;
    expect(memory.view(Number(cells("linux,initrd-start")), 3)).toEqual(initrd);
  });
});

describe("a command line", () => {
  test("stands in the board's tree", () => {
    expect(text(nodeAt(treeOf({ append: "a b=c" }), "/chosen")?.properties.get("bootargs"))).toBe("a b=c");
    expect(text(nodeAt(treeOf(), "/cpus/cpu@0")?.properties.get("riscv,isa-base"))).toBe("rv64i");
  });
  test("that no tree can hold is refused", () => {
    expect(() => made({ append: "snow \u2603" })).toThrow(
      /^Cannot write device tree as text must be single non-zero bytes/,
    );
    expect(() => made({ append: "a\0b" })).toThrow(/^Cannot write device tree as text must be single non-zero bytes/);
  });
});

describe("a machine", () => {
  test("starts its clock at a whole number of seconds", () => {
    for (const rtcSeconds of [1.5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => made({ rtcSeconds })).toThrow(
        `Cannot make a machine as its clock starts at a whole number of seconds: ${rtcSeconds}`,
      );
  });
  test.each([rewritingTrap, rewritingInline, pre, para])("has no machine mode under $name $variant", (technique) => {
    for (const [what, config] of [
      ["a machine-mode guest", { machineMode: true }],
      ["firmware", { firmware: kernel }],
    ] as const)
      expect(() => made({ ...config, technique })).toThrow(
        `Cannot run ${what} under ${technique.name} as it must have a virtual machine mode: it has none; use --technique native or full`,
      );
  });
  test("shares nothing with a guest in machine mode, and replaces none of its code, whatever a technique claims", () => {
    const claims = (prepare: NonNullable<Technique["prepare"]>) => () =>
      made({ machineMode: true, technique: { ...full, prepare } });
    expect(claims((mechanisms) => mechanisms.shareState())).toThrow(
      /^Cannot share a state page as the guest must start/,
    );
    expect(claims((mechanisms) => mechanisms.rewriteKernelCode({ inline: false }))).toThrow(
      /^Cannot run copies of code/,
    );
  });
  test.each([native, full])("runs firmware first, in machine mode, under $name", (technique) => {
    const { guest, hart } = made({ firmware: kernel, technique }).parts.platform;
    expect([guest.mode, hart.pc]).toEqual([3, 0x8000_0000n]);
  });
  test("whose firmware and kernel would overlap is refused", () => {
    expect(() => made({ firmware: new Uint8Array((2 << 20) + 1) })).toThrow(
      "Cannot load kernel as images do not overlap: firmware ends at 0x80200001",
    );
  });
  test("does not run a technique that is unsound on its profile", () => {
    const leaky = { ...strict, name: "leaky", leaks: { csrs: {}, nops: ["sret"] } };
    expect(() => made({ technique: full, profile: leaky })).toThrow(
      /^Cannot run full as it requires that every sensitive instruction traps in user mode: on profile leaky, sret do not/,
    );
    expect(() => made({ technique: native, profile: leaky })).not.toThrow();
  });
  test("copies what it is given", () => {
    const bytes = kernel.slice();
    const machine = createMachine({
      kernel: bytes,
      memoryBytes: 4 << 20,
      rtcSeconds: 0,
      machineMode: false,
      profile: strict,
      technique: native,
      logging: false,
    });
    const before = machine.digest();
    bytes.fill(0);
    expect(machine.parts.platform.memory.view(Number(BASE), kernel.length)).toEqual(kernel);
    expect(machine.digest()).toEqual(before);
  });
});
