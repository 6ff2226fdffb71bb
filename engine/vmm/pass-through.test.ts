/** Devices that are passed through: no exits, the same run as on the bare machine, and one owner. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { boot, entry, LEAF, PAGING, x } from "../boot.fixture.ts";
import { createMachine, type MachineConfig } from "../create.ts";
import { eventsOf } from "../event/record.ts";
import { strict } from "../isa/profile.ts";
import type { Machine } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import { para } from "../techniques/para.ts";
import { pre } from "../techniques/pre.ts";
import { rewritingInline, rewritingTrap } from "../techniques/rewriting.ts";
import { DeviceOwners } from "./device-owners.ts";
import { call } from "./hypercalls.fixture.ts";
import { GUEST } from "./pass-through.ts";
import type { Technique } from "./technique.ts";
import type { Vmm } from "./vmm.ts";

const prebuilt = (name: string): Uint8Array =>
  readFileSync(new URL(`../../experiments/guests/hutch/prebuilt/${name}.elf`, import.meta.url));
const DISK = Uint8Array.from({ length: 8 * 4096 }, (_, at) => ((at >> 12) + at) & 0xff);
const ATA: Partial<MachineConfig> = { disk: DISK, diskDevice: "ata" };
const PASSED: Partial<MachineConfig> = { ...ATA, passThrough: ["disk"] };

interface Seen {
  readonly machine: Machine;
  readonly exits: Readonly<Record<string, number>>;
  /** How often each device was reached, by its name and path. */
  readonly paths: Readonly<Record<string, number>>;
  readonly digest: ReturnType<Machine["digest"]>;
  readonly guest: readonly unknown[];
}

function ran(machine: Machine, steps: number): Seen {
  machine.run(steps);
  const exits: Record<string, number> = {};
  const paths: Record<string, number> = {};
  const batch = machine.log.drain();
  const guest = [];
  for (const event of eventsOf(batch)) {
    if (event.kind === "vmm.exit") exits[event.reason] = (exits[event.reason] ?? 0) + 1;
    else if (event.kind === "device.path") {
      const key = `${event.device} ${event.path}`;
      paths[key] = (paths[key] ?? 0) + 1;
    } else if (/^(device|dma|interrupt|guest|idle|mark|sbi)/.test(event.kind)) guest.push(event);
  }
  return { machine, exits, paths, digest: machine.digest(), guest };
}

const hutch = (technique: Technique, options: Partial<MachineConfig>, name = "hutch", append = "disk-read 2"): Seen =>
  ran(
    createMachine({
      kernel: prebuilt(name),
      append,
      memoryBytes: 16 << 20,
      rtcSeconds: 0,
      machineMode: false,
      profile: strict,
      technique,
      logging: true,
      ...options,
    }),
    4_000_000,
  );

/** Reads the ATA disk's first sector into registers' sum in s2, without paging: counts accesses in s3. */
const ATA_SECTOR = `
  li s0, 0x10009000
  li s1, 0x10009800
  li t0, 2
  sb t0, 0(s1)
  li t0, 1
  sb t0, 8(s0)
  sb zero, 12(s0)
  sb zero, 16(s0)
  sb zero, 20(s0)
  li t0, 0x40
  sb t0, 24(s0)
  li t0, 0x20
  sb t0, 28(s0)
1: lbu t0, 0(s1)
  andi t0, t0, 0x80
  bnez t0, 1b
  li t1, 256
2: lhu t0, 0(s0)
  slli s2, s2, 1
  add s2, s2, t0
  addi t1, t1, -1
  bnez t1, 2b
  j .
`;

describe("registers of a device that is passed through", () => {
  test("are reached without an exit, behind the one in which their page is mapped; otherwise each access is one", () => {
    const bare = ran(boot(ATA_SECTOR, ATA), 12_000);
    const emulated = ran(boot(ATA_SECTOR, { ...ATA, technique: full }), 12_000);
    const passed = ran(boot(ATA_SECTOR, { ...PASSED, technique: full }), 12_000);
    const accesses = passed.paths["ata0 native"]!;
    expect(accesses).toBeGreaterThan(256 + 9);
    expect(emulated.exits).toEqual({ "page-fault": 1, "device-access": accesses, interrupt: 1 });
    expect(emulated.paths).toEqual({ "ata0 emulated": accesses });
    // Code, and the page with the registers; and what came due.
    expect(passed.exits).toEqual({ "page-fault": 2, interrupt: 1 });
    expect(passed.paths).toEqual({ "ata0 native": accesses });
    expect(passed.digest).toEqual(bare.digest);
    expect(emulated.digest).toEqual(bare.digest);
    expect(x(bare.machine, 18)).not.toBe(0n);
  });

  test.each([
    "li t0, 0x10009000\namoadd.w t1, zero, (t0)",
    "li t0, 0x10009000\nlr.w t1, (t0)",
    "li t0, 0x10009001\nlhu t1, 0(t0)",
    "li t0, 0x10009000\nld t1, 0(t0)",
    "li t0, 0x10009100\nlbu t1, 0(t0)",
    "li t0, 0x10009ffd\nlw t1, 0(t0)",
    "li t0, 0x10009000\njr t0",
    "li t0, 0x1000a000\nsb t0, 0(t0)",
  ])("what is no access to a register is the guest's fault, as on the bare machine: %s", (access) => {
    const source = `la t6, handler\ncsrw stvec, t6\nli t0, 0x10009000\nlbu t1, 28(t0)\n${access}\nj .\n.align 2\nhandler: csrr s2, scause\ncsrr s3, stval\nj .`;
    const [bare, passed] = [native, full].map((technique) =>
      ran(boot(source, { ...ATA, ...(technique === full ? PASSED : {}), technique }), 100),
    ) as [Seen, Seen];
    expect(passed.digest).toEqual(bare.digest);
    expect(passed.guest).toEqual(bare.guest);
    expect(x(bare.machine, 18)).toBeGreaterThan(0n);
  });

  test.each([
    ["full", full],
    ["rewriting:trap", rewritingTrap],
    ["rewriting:inline, whose kernel opens interrupts unseen", rewritingInline],
  ])("an interrupt that an access raises at once is taken behind that access: %s", (_name, technique) => {
    // PLIC: priority of source 9, enable for context 1, threshold 0; then, in paged memory, a command that is aborted at once.
    const source = `
      la t6, handler
      csrw stvec, t6
      ${PAGING}
      ${entry(0, 0xc00_0000, LEAF.readWrite)}
      ${entry(8, 0xc00_2000, LEAF.readWrite)}
      ${entry(16, 0xc20_1000, LEAF.readWrite)}
      ${entry(24, 0x1000_9000, LEAF.readWrite)}
      sfence.vma
      li t0, 0x40000000
      li t1, 1
      sw t1, 36(t0)
      li t0, 0x40001080
      li t1, 0x200
      sw t1, 0(t0)
      csrw sie, t1
      li t0, 0x40002000
      sw zero, 0(t0)
      li t0, 0x40003000
      lbu t1, 28(t0)
      csrsi sstatus, 2
      li t1, 0x99
      sb t1, 28(t0)
      addi s4, s4, 1
      j .
      .align 2
      handler: csrr s2, scause
      csrr s3, sepc
      j .
    `;
    const [bare, passed] = [native, technique].map((each) =>
      ran(boot(source, { ...ATA, ...(each === native ? {} : PASSED), technique: each }), 120),
    ) as [Seen, Seen];
    expect([x(bare.machine, 18), x(bare.machine, 20)]).toEqual([2n ** 63n + 9n, 0n]);
    expect(passed.guest).toEqual(bare.guest);
    expect(passed.digest).toEqual(bare.digest);
    expect(passed.paths["ata0 native"]).toBe(2);
    expect(passed.exits.interrupt).toBe(1);
  });
});

describe("hutch with a disk of its own", () => {
  test.each(["ata", "virtio"] as const)(
    "%s: full is the bare run exactly, and none of the disk's registers costs an exit",
    (diskDevice) => {
      const options = { disk: DISK, diskDevice };
      const bare = hutch(native, options);
      const emulated = hutch(full, options);
      const passed = hutch(full, { ...options, passThrough: ["disk"] });
      expect(bare.machine.end).toMatchObject({ reason: "poweroff", code: 0 });
      for (const run of [emulated, passed]) {
        expect(run.digest).toEqual(bare.digest);
        expect(run.guest).toEqual(bare.guest);
        expect(run.machine.disk).toEqual(bare.machine.disk);
      }
      const name = diskDevice === "ata" ? "ata0" : "virtio0";
      const saved = emulated.paths[`${name} emulated`]!;
      expect(passed.paths[`${name} native`]).toBe(saved);
      expect(passed.paths[`${name} emulated`]).toBeUndefined();
      expect(passed.exits["device-access"]).toBe(emulated.exits["device-access"]! - saved);
    },
  );

  test.each([
    ["rewriting:trap", rewritingTrap, "hutch"],
    ["rewriting:inline", rewritingInline, "hutch"],
    ["pre", pre, "hutch-pre"],
  ] as const)("%s too", (_name, technique, image) => {
    const bare = hutch(native, ATA, image);
    const passed = hutch(technique, PASSED, image);
    expect(passed.machine.end).toEqual(bare.machine.end);
    expect(passed.digest).toEqual(bare.digest);
    expect(passed.guest).toEqual(bare.guest);
    expect(passed.paths["ata0 emulated"]).toBeUndefined();
  });

  test("several devices can be passed through, by their names", () => {
    const bare = hutch(native, ATA);
    const passed = hutch(full, { ...ATA, passThrough: ["ata0", "uart0", "plic"] });
    expect(passed.digest).toEqual(bare.digest);
    expect(passed.exits["device-access"]).toBeUndefined();
  });

  test("hutch-para asks the VMM for the disk, and drives it itself where that is not the VMM's to give", () => {
    const asked = hutch(para, ATA, "hutch-para");
    const passed = hutch(para, PASSED, "hutch-para");
    expect(passed.machine.console).toEqual(asked.machine.console);
    expect(asked.paths["ata0 emulated"]).toBeUndefined();
    expect(passed.paths["ata0 native"]).toBeGreaterThan(2 * 2048);
  });
});

describe("a device has one owner", () => {
  const SOURCE = "j .";

  test("the table refuses a second one, and names the first", () => {
    const owners = new DeviceOwners();
    owners.claim("ata0", GUEST);
    expect(() => owners.claim("ata0", "somebody else")).toThrow(
      new RangeError("Cannot give ata0 to somebody else as a device has one owner: it is the guest's"),
    );
    expect(owners.ownerOf("ata0")).toBe(GUEST);
    owners.release("ata0");
    owners.claim("ata0", "somebody else");
    expect(owners.ownerOf("virtio0")).toBeUndefined();
  });

  test.each([
    ["disk", "disk"],
    ["disk", "ata0"],
    ["ata0", "disk"],
  ])("%s and %s are one device", (first, second) => {
    expect(() => boot(SOURCE, { ...ATA, technique: full, passThrough: [first, second] })).toThrow(
      "Cannot give ata0 to the guest as a device has one owner: it is the guest's",
    );
  });

  test("the VMM's own disk requests and a guest that has the disk", () => {
    const kernel = `${call("disk")}j .\n`;
    const owner = (options: Partial<MachineConfig>): [bigint, string | undefined] => {
      const machine = boot(kernel, { technique: para, ...options });
      machine.run(100);
      return [x(machine, 10), (machine.parts.execution as Vmm).owners.ownerOf("ata0")];
    };
    expect(owner(ATA)).toEqual([0n, "the VMM's disk requests"]);
    expect(owner(PASSED)).toEqual([BigInt.asUintN(64, -4n), "the guest"]);
  });

  test("what is no device, what has no disk, and what has no VMM is refused", () => {
    const passing =
      (technique: Technique, passThrough: string[], options: Partial<MachineConfig> = {}) =>
      () =>
        boot(SOURCE, { technique, passThrough, ...options });
    expect(passing(full, ["sound"], ATA)).toThrow(
      /^Cannot pass sound through as it must be a device of the machine: there are disk, .*uart0.*ata0$/,
    );
    expect(passing(full, ["disk"])).toThrow(/^Cannot pass disk through as it must be a device of the machine/);
    expect(passing(native, ["disk"], ATA)).toThrow(
      "Cannot pass disk through under native as that is what a VMM does: the bare machine has all its devices",
    );
  });
});

test("the ATA disk is in the machine where it is asked for, and only there", () => {
  const devices = (options: Partial<MachineConfig>) => boot("j .", options).devices;
  expect(devices({ disk: DISK })).toEqual(devices({}));
  expect(devices(ATA)).toEqual([...devices({}), "ata0"]);
  expect(devices({ diskDevice: "ata" })).toEqual(devices({}));
});
