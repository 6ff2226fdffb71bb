import { expect, test } from "vitest";
import { checkAll } from "./expectations.ts";

test.each(["interpreter", "reference", "jit"] as const)(
  "where QEMU departs from the rules, the %s keeps them",
  (tier) => {
    expect(checkAll(tier)).toEqual([]);
  },
);
