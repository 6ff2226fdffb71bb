/** `trapline audit` from end to end: documents, exit codes, files. */
import { readFileSync } from "node:fs";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { Privileged } from "../../engine/hart/privileged.ts";
import { Terminal } from "./cli.fixture.ts";

const terminal = new Terminal();
afterAll(() => terminal.remove());
afterEach(() => vi.restoreAllMocks());

interface Row {
  readonly mnemonic: string;
  readonly csr: string | null;
  readonly class: string;
  readonly observed: string;
  readonly agrees: boolean;
}

describe("trapline audit", () => {
  test("goes well whatever the verdict, and writes the document, the litmus and the figure", async () => {
    const folder = terminal.path("audit");
    const { code, document } = await terminal.json("audit", "--profile", "leaky-min", "--litmus", "-o", folder);
    expect([code, document["profile"], document["verdict"], document["violators"]]).toEqual([
      ...[0, "leaky-min", "not-virtualizable", ["sfence.vma"]],
    ]);
    const rows = document["instructions"] as readonly Row[];
    expect(rows.length).toBeGreaterThan(1000);
    expect(rows.filter(({ agrees }) => !agrees)).toEqual([]);
    expect(rows.find(({ mnemonic }) => mnemonic === "sfence.vma")).toMatchObject({
      ...{ csr: null, class: "control-sensitive", observed: "control-sensitive" },
    });
    expect(rows.find(({ mnemonic, csr }) => mnemonic === "csrrw" && csr === "satp")).toMatchObject({
      ...{ class: "privileged", observed: "privileged" },
    });
    expect(document["litmus"]).toMatchObject({ detected: 1, total: 1 });
    expect(document["files"]).toEqual(
      ["virtualizability.svg", "virtualizability.csv"].map((name) => `${folder}/${name}`),
    );
    expect(readFileSync(`${folder}/virtualizability.svg`, "utf8")).toContain("1 in the way, litmus 1 of 1");
    expect(readFileSync(`${folder}/virtualizability.csv`, "utf8")).toContain("leaky-min,not-virtualizable,");
  });

  test("ends with 3 where the machine is not what was predicted, and says of which instruction", async () => {
    const permits = Privileged.prototype.permits;
    vi.spyOn(Privileged.prototype, "permits").mockImplementation(function (this: Privileged, instruction) {
      return instruction === "sret" || permits.call(this, instruction);
    });
    const { code, out, err } = await terminal.run("audit");
    expect([code, err]).toEqual([
      ...[3, expect.stringContaining("1 of 1020 rows were observed to be of another class than predicted: sret")],
    ]);
    expect(out).toContain("verdict  not virtualizable: 1 sensitive instructions run in user mode without a trap");
    expect(out).toContain("differs  sret: predicted privileged, observed control-sensitive");
  });

  test("refuses a profile that it does not know", async () => {
    const { code, err } = await terminal.run("audit", "--profile", "tight");
    expect([code, err]).toEqual([2, expect.stringContaining('Cannot use profile "tight" as it must be one of strict')]);
  });
});
