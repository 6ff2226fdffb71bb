import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { inOrder } from "./in-order.ts";
import type { DerivedPrice } from "./model.ts";
import { resolvePrices } from "./model.ts";

const document = readFileSync(new URL("../../docs/costs.md", import.meta.url), "utf8");

/** The listings of docs/costs.md, by price. */
const listings = new Map(
  [...document.matchAll(/### `([a-z.-]+)`\n[^#]*?```asm\n(.*?)```/gs)].map(([, id, text]) => [
    id!,
    text!
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "" && !line.endsWith(":")),
  ]),
);

const registersOf = (operands: string) => operands.match(/\b(?:zero|ra|sp|gp|tp|[ast]\d+)\b/g) ?? [];
const split = (line: string) => /^(\S+)\s*(.*)$/.exec(line)!.slice(1, 3) as [string, string];

/** Registers that an instruction reads: all of them where it has no result, all but the first where it has one. */
function reads(line: string | undefined): readonly string[] {
  if (line === undefined) return [];
  const [mnemonic, operands] = split(line);
  const hasResult = !/^(?:s[bhwd]|b\w+|jr|jalr|csr[wsc]|sfence\.vma|ret|mret)$/.test(mnemonic);
  return registersOf(operands).slice(hasResult ? 1 : 0);
}

/** Counts a listing as docs/costs.md says. */
function count(lines: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  lines.forEach((line, index) => {
    const [mnemonic, operands] = split(line);
    const add = (part: string, of = 1) => {
      counts[part] = (counts[part] ?? 0) + of;
    };
    if (mnemonic === "mret") return;
    if (/^l[bhwd]u?$/.test(mnemonic))
      add(reads(lines[index + 1]).includes(registersOf(operands)[0]!) ? "load.used" : "load");
    else if (/^s[bhwd]$/.test(mnemonic)) add("store");
    else if (mnemonic.startsWith("csr")) add("csr");
    else if (mnemonic === "sfence.vma") add("sfence");
    else if (mnemonic === "jr" || mnemonic === "jalr") add("jump.table");
    else if (/^(?:b\w+|j|jal|ret)$/.test(mnemonic)) add("branch");
    // lla is auipc and addi.
    else add("alu", mnemonic === "lla" ? 2 : 1);
  });
  return counts;
}

describe("the model inOrder", () => {
  test.each(inOrder.prices.filter((row) => row.status === "derived"))(
    "prices $id as its listing in docs/costs.md is counted",
    (row) => {
      const listing = listings.get(row.id);
      expect(listing, `docs/costs.md lists no ${row.id}`).toBeDefined();
      expect((row as DerivedPrice).of).toEqual(count(listing!));
    },
  );

  test("has a price for each listing", () => {
    expect([...listings.keys()].sort()).toEqual(
      inOrder.prices
        .filter((row) => row.status === "derived")
        .map((row) => row.id)
        .sort(),
    );
  });

  test("saves and restores 30 registers, each to its own place", () => {
    const slots = (id: string, mnemonic: string) =>
      listings
        .get(id)!
        .filter((line) => new RegExp(`^${mnemonic}\\s+\\w+, (?:8|[1-9]\\d|1\\d\\d|2[0-4]\\d)\\(sp\\)$`).test(line));
    const saved = slots("exit.save", "sd")
      .map((line) => line.replace(/^sd\s+/, ""))
      .filter((slot) => !slot.endsWith(" 16(sp)"));
    const restored = slots("exit.restore", "ld")
      .map((line) => line.replace(/^ld\s+/, ""))
      .filter((slot) => !slot.endsWith(" 16(sp)"));
    expect(new Set(saved).size).toBe(30);
    expect(restored).toEqual(saved);
  });

  test("says in docs/costs.md what it says in code, for each price that is not derived", () => {
    const plain = resolvePrices(inOrder).filter((price) => price.of === null);
    const rows = plain.map(
      (price) => `| \`${price.id}\` | ${price.cycles} | ${price.low} | ${price.high} | ${price.status} |`,
    );
    for (const row of rows) expect(document).toContain(row);
  });

  test("gives a low and a high to each price that is assumed, and a source to all", () => {
    for (const price of resolvePrices(inOrder)) {
      if (price.status === "assumed") expect(price.low, price.id).toBeLessThan(price.high);
      expect(price.source).not.toBe("");
    }
  });

  test("makes a full exit cost what its parts cost", () => {
    const price = Object.fromEntries(resolvePrices(inOrder).map(({ id, cycles }) => [id, cycles]));
    expect(price["exit.save"]).toBe(6 + 2 + 2 + 34 + 2 + 4 + 15);
    expect(price["exit.restore"]).toBe(1 + 33 + 9);
  });
});
