/** Sections are those of the Devicetree Specification 0.4. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  cells64,
  type DeviceTreeNode,
  node,
  nodeAt,
  readDeviceTree,
  withProperties,
  writeDeviceTree,
} from "./device-tree.ts";

const TREE = node("", { "#address-cells": [2], model: "test" }, [
  node("chosen", { bootargs: "quiet" }),
  node("soc", { ranges: true }, [
    node("serial@10000000", {
      compatible: ["ns16550a", "ns16550"],
      reg: [...cells64(0x1_0000_0000n), 0, 8],
      odd: Uint8Array.of(1, 2, 3),
    }),
  ]),
]);

test("a blob is what dtc makes of the same tree, byte for byte", () => {
  // echo '/dts-v1/; / { a = <1>; b { a; }; };' | dtc -I dts -O dtb -V 17 | xxd -p
  const dtc =
    "d00dfeed000000720000003800000070000000280000001100000010000000000000000200000038" +
    "00000000000000000000000000000000000000010000000000000003000000040000000000000001" +
    "00000001620000000000000300000000000000000000000200000002000000096100";
  const blob = writeDeviceTree(node("", { a: [1] }, [node("b", { a: true })]));
  expect([...blob].map((byte) => byte.toString(16).padStart(2, "0")).join("")).toBe(dtc);
});

test("what was written is read back, values as raw bytes", () => {
  const read = readDeviceTree(writeDeviceTree(TREE));
  expect(read).toEqual(TREE);
  const serial = nodeAt(read, "/soc/serial@10000000");
  expect(serial?.properties.get("compatible")).toEqual(new TextEncoder().encode("ns16550a\0ns16550\0"));
  expect(serial?.properties.get("reg")).toEqual(Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8));
  expect(nodeAt(read, "/soc/nothing")).toBeUndefined();
});

test("cells are big-endian, and 64-bit numbers two of them", () => {
  expect(node("", { a: cells64(0x1234_5678_9abc_def0n) }).properties.get("a")).toEqual(
    Uint8Array.of(0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0),
  );
});

test("any tree is read back as it was written, and what follows a blob is ignored", () => {
  const name = fc.stringMatching(/^[a-z#,@0-9-]{1,20}$/);
  const bytes = fc.uint8Array({ maxLength: 20 });
  const withChildren = (child: fc.Arbitrary<DeviceTreeNode> | undefined): fc.Arbitrary<DeviceTreeNode> => {
    const children =
      child === undefined ? fc.constant([]) : fc.uniqueArray(child, { maxLength: 3, selector: (other) => other.name });
    return fc
      .tuple(name, fc.dictionary(name, bytes, { maxKeys: 4 }), children)
      .map(([its, properties, below]) => node(its, properties, below));
  };
  const tree = withChildren(withChildren(withChildren(undefined)));
  fc.assert(
    fc.property(tree, bytes, (any, behind) => {
      const root = { ...any, name: "" };
      expect(readDeviceTree(Uint8Array.of(...writeDeviceTree(root), ...behind))).toEqual(root);
    }),
    { seed: 5, numRuns: 200 },
  );
});

test("properties of one node can be replaced, and a missing node is made", () => {
  const changed = withProperties(withProperties(TREE, "/chosen", { bootargs: "debug", extra: [1] }), "/new/deep", {
    here: true,
  });
  expect(nodeAt(changed, "/chosen")?.properties.get("bootargs")).toEqual(new TextEncoder().encode("debug\0"));
  expect(nodeAt(changed, "/chosen")?.properties.get("extra")).toEqual(Uint8Array.of(0, 0, 0, 1));
  expect(nodeAt(changed, "/new/deep")?.properties.has("here")).toBe(true);
  expect(nodeAt(changed, "/soc")).toBe(nodeAt(TREE, "/soc"));
  expect(nodeAt(TREE, "/chosen")?.properties.has("extra")).toBe(false);
});

test("text that is no single bytes cannot be written", () => {
  expect(() => node("", { bootargs: "a\0b" })).toThrow(
    "Cannot write device tree as text must be single non-zero bytes: U+0000 in it",
  );
  expect(() => node("", { bootargs: "→" })).toThrow("U+2192");
});

describe("what is not a device tree is refused", () => {
  const blob = writeDeviceTree(TREE);
  const field = (index: number, value: number): Uint8Array => {
    const changed = blob.slice();
    new DataView(changed.buffer).setUint32(index * 4, value);
    return changed;
  };
  /** A blob with this structure block, and the strings "a" and, without its zero byte, "b". */
  const structured = (...words: number[]): Uint8Array => {
    const bytes = new Uint8Array(56 + words.length * 4 + 3);
    const view = new DataView(bytes.buffer);
    const header = [0xd00dfeed, bytes.length, 56, 56 + words.length * 4, 40, 17, 16, 0, 3, words.length * 4];
    for (const [at, word] of header.entries()) view.setUint32(at * 4, word);
    for (const [at, word] of words.entries()) view.setUint32(56 + at * 4, word);
    bytes.set([0x61, 0, 0x62], bytes.length - 3);
    return bytes;
  };
  const bomb = (depth: number): Uint8Array => {
    const begins = Array.from({ length: depth - 1 }, () => [1, 0x6100_0000]).flat();
    return structured(1, 0, ...begins, ...Array.from({ length: depth }, () => 2), 9);
  };

  test.each<[string, Uint8Array, string]>([
    ["an empty file", new Uint8Array(0), "its header has 40 bytes: the file has 0"],
    ["a cut header", blob.slice(0, 39), "its header has 40 bytes: the file has 39"],
    ["another magic", field(0, 0x7f454c46), "it must start with d00dfeed: 7f454c46"],
    [
      "a cut file",
      blob.slice(0, -1),
      `it must be whole: totalsize is ${blob.length}, the file has ${blob.length - 1} bytes`,
    ],
    ["version 15", field(5, 15), "versions 16 to 17 are known: version 15, compatible to 16"],
    ["a version too new", field(6, 18), "versions 16 to 17 are known: version 17, compatible to 18"],
    ["a structure block off its boundary", field(2, 57), "its structure block must lie inside it: offset 57"],
    [
      "a structure block behind the end",
      field(2, 0xffff_fffc),
      "its structure block must lie inside it: offset 4294967292",
    ],
    [
      "a structure block that is too long",
      field(9, 0xffff_fffc),
      "its structure block must lie inside it: offset 56, 4294967292 bytes",
    ],
    [
      "a strings block behind the end",
      field(3, 0xffff_ffff),
      "its strings block must lie inside it: offset 4294967295",
    ],
    ["a strings block that is too long", field(8, 0xffff_ffff), "its strings block must lie inside it"],
    ["no root node", structured(9), "it must start with its root node: token 9"],
    ["a root node with a name", structured(1, 0x6100_0000, 2, 9), 'its root node has no name: "a"'],
    ["a node that is not closed", structured(1, 0), "its structure block must end with FDT_END: it ends at offset 64"],
    ["a missing FDT_END", structured(1, 0, 2), "its structure block must end with FDT_END: it ends at offset 68"],
    ["a second root node", structured(1, 0, 2, 1, 0, 2, 9), "FDT_END must follow the root node: token 1"],
    ["an unknown token", structured(1, 0, 7, 2, 9), "tokens are 1, 2, 3, 4 and 9: 7 in /"],
    ["FDT_END inside a node", structured(1, 0, 9), "tokens are 1, 2, 3, 4 and 9: 9 in /"],
    [
      "a name without an end",
      structured(1, 0x6161_6161),
      "a node's name must end with a zero byte: none from offset 60",
    ],
    [
      "a property longer than the block",
      structured(1, 0, 3, 99, 0, 2, 9),
      "property a must lie inside the structure block: 99 bytes at offset 76",
    ],
    [
      "a property of 2^32 - 1 bytes",
      structured(1, 0, 3, 0xffff_ffff, 0, 2, 9),
      "property a must lie inside the structure block: 4294967295",
    ],
    [
      "a property's name out of range",
      structured(1, 0, 3, 0, 3, 2, 9),
      "a property's name must lie in the strings block: offset 3 of 3 in /",
    ],
    [
      "a property's name far out of range",
      structured(1, 0, 3, 0, 0xffff_ffff, 2, 9),
      "a property's name must lie in the strings block",
    ],
    [
      "a property's name without an end",
      structured(1, 0, 3, 0, 2, 2, 9),
      "a property's name must end with a zero byte",
    ],
    ["a property twice", structured(1, 0, 3, 0, 0, 3, 0, 0, 2, 9), "a node has a property once: a twice in /"],
    [
      "a child twice",
      structured(1, 0, 1, 0x6100_0000, 2, 1, 0x6100_0000, 2, 2, 9),
      "children have different names: /a twice",
    ],
    ["a depth bomb", bomb(20_000), "nodes nest at most 64 deep: one more at offset"],
    ["one level too many", bomb(66), "nodes nest at most 64 deep"],
  ])("%s", (_, bytes, message) => {
    expect(() => readDeviceTree(bytes)).toThrow(RangeError);
    expect(() => readDeviceTree(bytes)).toThrow(`Cannot read device tree as ${message}`);
  });

  test("the deepest tree that is allowed is read", () => {
    let depth = 0;
    for (let at = readDeviceTree(bomb(65)); at.children[0] !== undefined; at = at.children[0]) depth++;
    expect(depth).toBe(64);
  });

  test("NOPs are skipped wherever a token may be, and version 16 has no size of its structure block", () => {
    expect(readDeviceTree(structured(4, 1, 0, 4, 3, 0, 0, 4, 2, 4, 9))).toEqual(node("", { a: true }));
    expect(readDeviceTree(field(6, 17))).toEqual(TREE);
    const old = field(5, 16);
    new DataView(old.buffer).setUint32(36, 0xffff_ffff);
    expect(readDeviceTree(old)).toEqual(TREE);
  });

  test("any damage is read as some tree or refused with a RangeError", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(blob.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(blob.length),
        (changes, length) => {
          const damaged = blob.slice(0, length < 40 ? blob.length : length);
          for (const [at, value] of changes) if (at < damaged.length) damaged[at] = value;
          try {
            readDeviceTree(damaged);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
            expect((error as Error).message).toMatch(/^Cannot read device tree as /);
          }
        },
      ),
      { seed: 6, numRuns: 2000 },
    );
  });
});
