import { describe, expect, test } from "vitest";
import { findInstruction, SITE_CLASSES } from "../../engine/mod.ts";
import { afterburn } from "./afterburn.ts";
import { TOOL_LINES } from "./tool-lines.ts";

const burn = (source: string, options = {}) => afterburn(source, { file: "t.s", ...options });

describe.each(TOOL_LINES)("the afterburner reads $name", ({ source, sites, listed = 0, remarks = 0, hidden = 0 }) => {
  test("and finds the sites", () => {
    const burned = burn(source);
    expect(burned.sites.filter(({ treatment }) => treatment === "annotated").map(({ siteClass }) => siteClass)).toEqual(
      sites,
    );
    expect(burned.sites.filter(({ treatment }) => treatment !== "annotated")).toHaveLength(listed);
    expect(burned.remarks.length).toBeGreaterThanOrEqual(remarks);
    if (hidden === 0) expect(burned.remarks).toHaveLength(remarks);
  });

  test("and gives it back as it was when it is off", () => {
    expect(burn(source, { off: true }).text).toBe(source);
  });

  test("and moves no line", () => {
    expect(burn(source).text.split("\n")).toHaveLength(source.split("\n").length);
  });
});

describe("an annotated statement", () => {
  test("gets a label, its pads and a record, all on its line, and comments stay", () => {
    expect(burn('# 7 "trap.S"\nx: csrr t0, sepc # the fault\nnop\n').text).toBe(
      '# 7 "trap.S"\nx: 77300: csrr t0, sepc; sltiu zero,zero,1445; .pushsection .trapline.sites,"",@progbits; ' +
        ".8byte 77300b; .2byte 4; .2byte 4; .2byte 2; .2byte 0; .popsection # the fault\nnop\n",
    );
  });

  test("has the pad of the ISA's own row", () => {
    const { specialises, match, weight } = findInstruction("pad")!;
    expect(weight).toBe(0);
    expect(burn("csrr t0, sepc\n").text).toContain(`; ${specialises} zero,zero,${match >>> 20};`);
  });

  test("is as long as its class says, or as it is told", () => {
    for (const [source, siteClass, siteBytes, pads] of [
      ["csrr t0, sepc", "epc-read", {}, 1],
      ["csrr t0, sepc", "epc-read", { "epc-read": 16 }, 3],
      ["csrrci t0, sstatus, 2", "status-clear-read", {}, 3],
      ["csrr t0, sstatus", "status-read", {}, 0],
      ["csrr t0, sstatus", "status-read", { "status-read": 12 }, 2],
    ] as const) {
      const { text } = burn(`${source}\n`, { siteBytes });
      expect(text.match(/sltiu/g) ?? [], source).toHaveLength(pads);
      expect(text).toContain(`.2byte 4; .2byte ${4 * pads}; .2byte ${SITE_CLASSES[siteClass].number};`);
    }
  });

  test("with too short a pad is refused, by its place and what it needs", () => {
    expect(() => burn('# 41 "kernel/trap.S"\n csrr t0, sepc\n', { siteBytes: { "epc-read": 4 } })).toThrow(
      'Cannot afterburn kernel/trap.S:41 as a site of class epc-read needs 8 bytes, in fours: "csrr t0, sepc" would have 4',
    );
    expect(() => burn("wfi\n", { siteBytes: { wait: 6 } })).toThrow(/needs 4 bytes, in fours: "wfi" would have 6$/);
  });

  test("of a user section is listed only", () => {
    const source = '.section .user,"ax"\ncsrr t0, sepc\n.text\nwfi\n';
    expect(burn(source, { userSections: [".user"] }).sites).toMatchObject([
      { text: "csrr t0, sepc", treatment: "section", padding: 0 },
      { text: "wfi", treatment: "annotated" },
    ]);
  });

  test("in a macro has room for the most that it may need", () => {
    const padding = (body: string) => burn(`.macro m x\n${body}\n.endm\n`).sites[0]?.padding;
    expect(padding("csrr t0, \\x")).toBe(4);
    expect(padding("csrrs t0, sepc, \\x")).toBe(4);
    expect(padding("csrrc t0, \\x, 2")).toBe(12);
    expect(padding("csrw \\x, t0")).toBe(0);
    expect(padding("csrrw \\x, sscratch, t0")).toBe(0);
  });
});

test("a source that has the sites' label is refused", () => {
  expect(() => burn("nop\n77300: nop\n")).toThrow(
    "Cannot afterburn t.s:2 as the label 77300 must be free for sites: the source defines it",
  );
  expect(burn("77300: wfi\n", { off: true }).text).toBe("77300: wfi\n");
});
