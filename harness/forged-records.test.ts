/** Records are the guest's word: whatever they say, the wedge does nothing that the guest would see (checklist, 46). */
import { describe, expect, test } from "vitest";
import { eventsOf } from "../engine/event/record.ts";
import { createMachine, type Machine, native, pre, SITE_CLASSES, strict, type Technique } from "../engine/mod.ts";
import { highCode, highKernel, type SiteRecord, UP } from "./high-kernel.fixture.ts";

const { bytes, labels } = highCode(`
  li s1, 20
  li a1, 5
  loop: csrrw a0, sscratch, a1
  site: csrr a2, sepc
  pad: sltiu zero, zero, 0x5a5
  csrw sepc, s1
  bare: csrr a3, sepc
  next: addi a4, a4, 1
  c.nop
  odd: csrr a5, sscratch
  word: lui a6, 0x12345
  add a7, a7, a3
  addi a1, a1, 7
  addi s1, s1, -1
  bnez s1, loop
  j .
`);
const at = (label: string): bigint => labels.get(label)! + UP;
const siteClass = SITE_CLASSES.undecided.number;
const epc = SITE_CLASSES["epc-read"].number;
const honest: readonly SiteRecord[] = [
  { address: at("loop"), siteClass },
  { address: at("site"), padding: 4, siteClass: epc },
];

function follow(records: readonly SiteRecord[]): { readonly exits: number } {
  const boot = (technique: Technique): Machine =>
    createMachine({ kernel: highKernel(bytes, records), memoryBytes: 4 << 20, rtcSeconds: 0, machineMode: false, profile: strict, technique, logging: true, tier: "interpreter" }); // biome-ignore format: one machine
  const [bare, virtual] = [boot(native), boot(pre)];
  const registers = ({ parts: { platform } }: Machine) => [platform.hart.pc, ...platform.hart.x];
  for (let step = 1; step <= 300; step++) {
    bare.run(step);
    virtual.run(step);
    expect(registers(virtual), `step ${step}`).toEqual(registers(bare));
  }
  expect(virtual.digest()).toEqual(bare.digest());
  let exits = 0;
  for (const event of eventsOf(virtual.log.drain()))
    if (event.kind === "vmm.exit" && event.reason === "privileged-instruction") exits++;
  return { exits };
}

describe("records under pre", () => {
  test("that are right spare exits", () => {
    const [none, all] = [follow([{ address: at("next"), siteClass }]), follow(honest)];
    expect(none.exits - all.exits).toBe(2 * 20);
  });

  test("of a class that there is not are refused at the start", () => {
    expect(() => follow([{ address: at("bare"), siteClass: 77 }])).toThrow(
      "Cannot read sites as .trapline.sites must hold records of 16 bytes: record 0 is of class 77",
    );
  });

  test.each<[string, SiteRecord]>([
    ["twice", honest[1]!],
    ["twice, with another length", { ...honest[1]!, padding: 0 }],
    ["for its pad", { address: at("pad"), siteClass }],
    ["that overlaps the one before", { address: at("site") + 2n, padding: 4, siteClass: epc }],
    ["with pads that are none", { address: at("bare"), padding: 4, siteClass: epc }],
    ["with more pads than there are", { address: at("site"), padding: 8, siteClass: epc }],
    ["with a pad of two bytes", { address: at("bare"), padding: 2, siteClass: epc }],
    ["with room for a page", { address: at("bare"), padding: 0xfffc, siteClass: epc }],
    ["of an instruction that is not sensitive", { address: at("next"), siteClass }],
    ["of another class", { address: at("bare"), siteClass: SITE_CLASSES.wait.number }],
    ["of two bytes", { address: at("bare"), length: 2, siteClass }],
    ["of no bytes", { address: at("bare"), length: 0, siteClass }],
    ["of more bytes", { address: at("bare"), length: 8, siteClass }],
    ["at an odd address", { address: at("bare") + 1n, siteClass }],
    ["at an odd address before", { address: at("bare") - 1n, siteClass }],
    ["at a halfword's address", { address: at("odd"), siteClass }],
    ["outside the text", { address: 0x1234n, siteClass }],
    ["at the end of the address space", { address: 2n ** 64n - 4n, siteClass }],
    ["at the last bytes of the page", { address: (at("loop") & ~0xfffn) + 0xffen, siteClass }],
  ])("one more, %s, change nothing that the guest sees", (_, record) => {
    follow([...honest, record]);
    follow([record, ...honest]);
    follow([record]);
  });
});
