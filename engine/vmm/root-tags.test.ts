import { expect, test } from "vitest";
import { RootTags } from "./root-tags.ts";

test("without address-space numbers each switch is a flush", () => {
  const tags = new RootTags(0);
  expect([1, 2, 1].map((root) => tags.switchTo(root))).toEqual(["root-switch", "root-switch", "root-switch"]);
});

test("with two of them, a third root is a flush, and giving out begins anew", () => {
  const tags = new RootTags(2);
  const made = [1, 2, 1, 2, 3, 3, 1].map((root) => tags.switchTo(root));
  expect(made).toEqual(["root-tag", "root-tag", "root-tag", "root-tag", "root-switch", "root-tag", "root-tag"]);
  expect(tags.switchTo(2)).toBe("root-switch");
  tags.clear();
  expect(tags.switchTo(5)).toBe("root-tag");
});
