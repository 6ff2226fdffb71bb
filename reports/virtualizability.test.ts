import { describe, expect, test } from "vitest";
import type { ProfileAudit } from "../harness/comparison.ts";
import { COMPARISON } from "./golden/null-syscall.ts";
import { virtualizability, virtualizabilityOf } from "./virtualizability.ts";

const tight: ProfileAudit = {
  profile: "strict",
  verdict: "virtualizable",
  classes: { privileged: 3, "control-sensitive": 0, "behaviour-sensitive": 0, innocuous: 5 },
  violators: [],
  disagreements: 0,
  litmus: { detected: 0, total: 0 },
  run: { level: "exact", equal: true, firstDifference: null },
};
const leaky: ProfileAudit = {
  profile: "leaky",
  verdict: "not-virtualizable",
  classes: { privileged: 0, "control-sensitive": 1, "behaviour-sensitive": 2, innocuous: 5 },
  violators: [
    { mnemonic: "csrrs", csr: "satp", class: "behaviour-sensitive" },
    { mnemonic: "csrrc", csr: "satp", class: "behaviour-sensitive" },
    { mnemonic: "sfence.vma", csr: null, class: "control-sensitive" },
  ],
  disagreements: 0,
  litmus: { detected: 3, total: 3 },
  run: {
    level: "exact",
    equal: false,
    firstDifference: {
      event: 4,
      step: 99,
      message: "differs",
      silent: { step: 77, pc: "0x80200134", instruction: "sfence.vma zero,zero" },
    },
  },
};

describe("the report on virtualizability", () => {
  const report = virtualizability();
  const render = () => report.render({ ...COMPARISON, audits: [tight, leaky] });

  test("says of each profile what is in the way, and what became of the guest", async () => {
    const { csv, text } = await render();
    expect(text).toBe(
      [
        "| profile | verdict           | privileged | innocuous | violators | litmus | full    |",
        "| ------- | ----------------- | ---------: | --------: | --------: | ------ | ------- |",
        "| strict  | virtualizable     |          3 |         5 |         0 | 0 of 0 | exact   |",
        "| leaky   | not-virtualizable |          0 |         5 |         3 | 3 of 3 | differs |",
        "",
      ].join("\n"),
    );
    expect(csv.split("\r\n")[2]).toBe(
      'leaky,not-virtualizable,0,1,2,5,3,0,3 of 3,differs,"sfence.vma zero,zero",0x80200134,77,99,satp sfence.vma',
    );
  });

  test("draws a row for each CSR or instruction that is in the way, and none where nothing is", async () => {
    const { svg } = await render();
    expect(svg).toContain("<title>leaky: csrrs, csrrc of satp, behaviour-sensitive</title>");
    expect(svg).toContain("<title>leaky: sfence.vma of sfence.vma, control-sensitive</title>");
    expect(svg).toContain("3 in the way, litmus 3 of 3, full goes astray");
    expect(svg).toContain("virtualizable, full is exact");
    expect((await virtualizabilityOf([tight])).svg).not.toContain("sensitive, and no trap");
  });

  test("is the same bytes when it is drawn again, and holds no broken number", async () => {
    const [once, again] = [await render(), await render()];
    expect(once.svg).toBe(again.svg);
    expect(once.svg).not.toMatch(/NaN|Infinity|\d\.\d{3}/);
  });

  test("refuses a comparison without audits", async () => {
    await expect(report.render(COMPARISON)).rejects.toThrow(/^Cannot draw virtualizability as it needs audits: /);
  });
});
