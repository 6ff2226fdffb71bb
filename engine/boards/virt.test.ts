import { describe, expect, test } from "vitest";
import { type DeviceTreeNode, nodeAt, readDeviceTree, writeDeviceTree } from "../machine/device-tree.ts";
import { buildDeviceTree, type DeviceTreeOptions, VIRT } from "./virt.ts";

const tree = (options: Partial<DeviceTreeOptions> = {}): DeviceTreeNode =>
  readDeviceTree(writeDeviceTree(buildDeviceTree(VIRT, { memoryBytes: 0x800_0000, machineMode: false, ...options })));
const text = (root: DeviceTreeNode, path: string, property: string): string[] =>
  new TextDecoder().decode(nodeAt(root, path)?.properties.get(property)).split("\0").slice(0, -1);
const cells = (root: DeviceTreeNode, path: string, property: string): number[] => {
  const bytes = nodeAt(root, path)?.properties.get(property) ?? new Uint8Array(0);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, at) => view.getUint32(at * 4));
};

test("the map is QEMU's: where its guests look without a device tree, they find the same", () => {
  expect([VIRT.testFinisher, VIRT.rtc, VIRT.clint, VIRT.plic, VIRT.uart].map(({ address }) => address)).toEqual([
    0x10_0000n,
    0x10_1000n,
    0x200_0000n,
    0xc00_0000n,
    0x1000_0000n,
  ]);
  expect(VIRT.virtio.map(({ address, interrupt }) => [address, interrupt])).toEqual(
    [1, 2, 3, 4, 5, 6, 7, 8].map((slot) => [0x1000_0000n + BigInt(slot) * 0x1000n, slot]),
  );
  expect([VIRT.ramBase, VIRT.uart.interrupt, VIRT.rtc.interrupt]).toEqual([0x8000_0000n, 10, 11]);
});

test("windows do not overlap, nor do interrupt sources", () => {
  const slots = [VIRT.testFinisher, VIRT.rtc, VIRT.clint, VIRT.plic, VIRT.uart, VIRT.ata, ...VIRT.virtio].sort(
    (a, b) => (a.address < b.address ? -1 : 1),
  );
  for (const [at, slot] of slots.entries()) {
    expect(slot.address + BigInt(slot.bytes) <= (slots[at + 1]?.address ?? VIRT.ramBase)).toBe(true);
  }
  const sources = slots.flatMap(({ interrupt }) => interrupt ?? []);
  expect(new Set(sources).size).toBe(11);
  expect(Math.max(...sources)).toBeLessThanOrEqual(VIRT.plic.sources);
});

describe("the device tree", () => {
  test("says what the hart is in both forms: kernels read one or the other, and lose the FPU without theirs", () => {
    const root = tree();
    expect(text(root, "/cpus/cpu@0", "riscv,isa")).toEqual(["rv64imafdc_zicntr_zicsr_zifencei_zihpm_sstc_svade"]);
    expect(text(root, "/cpus/cpu@0", "riscv,isa-base")).toEqual(["rv64i"]);
    expect(text(root, "/cpus/cpu@0", "riscv,isa-extensions")).toEqual([
      "i",
      "m",
      "a",
      "f",
      "d",
      "c",
      "zicntr",
      "zicsr",
      "zifencei",
      "zihpm",
      "sstc",
      "svade",
    ]);
    expect(text(root, "/cpus/cpu@0", "mmu-type")).toEqual(["riscv,sv39"]);
    expect(cells(root, "/cpus", "timebase-frequency")).toEqual([10_000_000]);
  });

  test("describes another hart when asked to", () => {
    const root = tree({ hart: { isa: "rv64ima", isaBase: "rv64i", isaExtensions: ["i", "m", "a"] } });
    expect(text(root, "/cpus/cpu@0", "riscv,isa-extensions")).toEqual(["i", "m", "a"]);
    expect(nodeAt(root, "/cpus/cpu@0")?.properties.has("mmu-type")).toBe(false);
  });

  test("gives memory, command line and initial RAM disk", () => {
    const root = tree({ append: "console=ttyS0 quiet", initrd: { start: 0x8700_0000n, end: 0x1_8712_3456n } });
    expect(cells(root, "/memory@80000000", "reg")).toEqual([0, 0x8000_0000, 0, 0x800_0000]);
    expect(text(root, "/chosen", "bootargs")).toEqual(["console=ttyS0 quiet"]);
    expect(cells(root, "/chosen", "linux,initrd-start")).toEqual([0, 0x8700_0000]);
    expect(cells(root, "/chosen", "linux,initrd-end")).toEqual([1, 0x8712_3456]);
    const without = tree();
    for (const property of ["bootargs", "linux,initrd-start"]) {
      expect(nodeAt(without, "/chosen")?.properties.has(property)).toBe(false);
    }
  });

  test("holds 256 bits of constant entropy, or Linux burns 170 million instructions gathering its own", () => {
    const seed = cells(tree(), "/chosen", "rng-seed");
    expect(seed).toHaveLength(8);
    expect(seed).toEqual(cells(tree({ machineMode: true, append: "x" }), "/chosen", "rng-seed"));
  });

  test("leads from poweroff and reboot to the finisher, and from each device to the PLIC, by phandle", () => {
    const root = tree();
    const [finisher] = cells(root, "/soc/test@100000", "phandle");
    expect(cells(root, "/poweroff", "regmap")).toEqual([finisher]);
    expect(cells(root, "/poweroff", "value")).toEqual([0x5555]);
    expect(cells(root, "/reboot", "regmap")).toEqual([finisher]);
    expect(cells(root, "/reboot", "value")).toEqual([0x7777]);
    const [plic] = cells(root, "/soc/plic@c000000", "phandle");
    for (const [path, source] of [
      ["/soc/serial@10000000", 10],
      ["/soc/rtc@101000", 11],
      ["/soc/virtio_mmio@10001000", 1],
      ["/soc/virtio_mmio@10008000", 8],
    ] as const) {
      expect(cells(root, path, "interrupt-parent")).toEqual([plic]);
      expect(cells(root, path, "interrupts")).toEqual([source]);
    }
    const [hart] = cells(root, "/cpus/cpu@0/interrupt-controller", "phandle");
    expect(cells(root, "/soc/plic@c000000", "interrupts-extended")).toEqual([hart, 11, hart, 9]);
    expect(new Set([finisher, plic, hart]).size).toBe(3);
  });

  test("the console it names is there, with its clock", () => {
    const root = tree();
    const [path = ""] = text(root, "/chosen", "stdout-path");
    expect(text(root, path, "compatible")).toEqual(["ns16550a"]);
    expect(cells(root, path, "clock-frequency")).toEqual([3_686_400]);
  });

  test("names the CLINT only to a guest in machine mode: under the SBI it is not the guest's", () => {
    expect(nodeAt(tree(), "/soc/clint@2000000")).toBeUndefined();
    const root = tree({ machineMode: true });
    const [hart] = cells(root, "/cpus/cpu@0/interrupt-controller", "phandle");
    expect(cells(root, "/soc/clint@2000000", "interrupts-extended")).toEqual([hart, 3, hart, 7]);
  });

  test("names an ATA disk where the board has one, as ata-generic.yaml has it: two blocks of registers", () => {
    expect(nodeAt(tree(), "/soc/ata@10009000")).toBeUndefined();
    const root = tree({ ata: true });
    const path = "/soc/ata@10009000";
    expect(text(root, path, "compatible")).toEqual(["ata-generic"]);
    expect(cells(root, path, "reg")).toEqual([0, 0x1000_9000, 0, 0x20, 0, 0x1000_9800, 0, 4]);
    expect([cells(root, path, "reg-shift"), cells(root, path, "interrupts")]).toEqual([[2], [9]]);
    expect(nodeAt(root, path)?.properties.get("ata-generic,use16bit")).toEqual(new Uint8Array(0));
    expect(cells(root, path, "interrupt-parent")).toEqual(cells(root, "/soc/plic@c000000", "phandle"));
  });

  test("has the same length wherever the initial RAM disk lies, so that its own place can be found first", () => {
    const blob = (start: bigint): Uint8Array =>
      writeDeviceTree(
        buildDeviceTree(VIRT, { memoryBytes: 1 << 27, machineMode: false, initrd: { start, end: start + 1n } }),
      );
    expect(blob(0n).length).toBe(blob(0xffff_ffff_ffffn).length);
  });
});
