import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { elf, SECTION_BYTES, SYMBOL_BYTES } from "./elf.fixture.ts";
import { type Image, ImageError, loadImage, placeBootData } from "./image.ts";

const RAM = { base: 0x8000_0000n, size: 0x100_0000 };
const load = (file: Uint8Array, defaultLoad = 0x8020_0000n): Image =>
  loadImage(file, { ram: RAM, defaultLoad, name: "a.out" });

const CODE = Uint8Array.of(0x13, 0, 0, 0, 0x6f, 0, 0, 0);

describe("ELF64", () => {
  test("segments go to their physical addresses, with their zeroed ends", () => {
    const file = elf(
      [
        { physical: 0x8000_2000n, bytes: Uint8Array.of(1, 2), memory: 0x100n },
        { physical: 0x8000_0000n, bytes: CODE },
      ],
      0x8000_0004n,
    );
    const image = load(file);
    expect(image.kind).toBe("elf");
    expect(image.segments.map(({ address, memoryBytes }) => [address, memoryBytes])).toEqual([
      [0x8000_0000n, 8],
      [0x8000_2000n, 0x100],
    ]);
    expect(image.segments.map(({ bytes }) => [...bytes])).toEqual([[...CODE], [1, 2]]);
    expect(image.entry).toBe(0x8000_0004n);
    expect(image.end).toBe(0x8000_2100n);
  });

  test("a kernel that is linked high starts at the physical address of its entry", () => {
    const virtual = 0xffff_ffff_8000_0000n;
    const image = load(
      elf([{ physical: 0x8020_0000n, virtual, bytes: CODE }], virtual + 4n, [["tohost", virtual + 6n]]),
    );
    expect(image.entry).toBe(0x8020_0004n);
    expect(image.physical(virtual)).toBe(0x8020_0000n);
    expect(image.physical(virtual + 7n)).toBe(0x8020_0007n);
    expect(image.physical(virtual + 8n)).toBeUndefined();
    expect(image.physical(virtual - 1n)).toBeUndefined();
    expect(image.symbols.get("tohost")).toBe(virtual + 6n);
  });

  test("an entry that could be either address is the physical one", () => {
    const file = elf(
      [
        { physical: 0x8000_0000n, virtual: 0x8010_0000n, bytes: CODE },
        { physical: 0x8010_0000n, virtual: 0x8000_0000n, bytes: CODE },
      ],
      0x8000_0000n,
    );
    expect(load(file).entry).toBe(0x8000_0000n);
  });

  test("symbols: global before local of the same name, no sections and files, undefined ones skipped", () => {
    const file = elf([{ physical: 0x8000_0000n, bytes: CODE }], 0x8000_0000n, [
      ["twice", 1n, 0x00],
      ["twice", 2n, 0x12],
      ["twice", 3n, 0x12],
      ["local", 4n, 0x02],
      ["section", 5n, 0x03],
      ["file.c", 6n, 0x04],
    ]);
    expect([...load(file).symbols]).toEqual([
      ["twice", 2n],
      ["local", 4n],
    ]);
  });

  test("a stripped file has no symbols", () => {
    const file = elf([{ physical: 0x8000_0000n, bytes: CODE }], 0x8000_0000n);
    new DataView(file.buffer).setBigUint64(40, 0n, true);
    expect(load(file).symbols.size).toBe(0);
  });

  test("a segment that is empty in memory is nothing; the last byte of RAM is usable", () => {
    const last = RAM.base + BigInt(RAM.size) - 8n;
    const image = load(
      elf(
        [
          { physical: 0n, bytes: new Uint8Array(0) },
          { physical: last, bytes: CODE },
        ],
        last,
      ),
    );
    expect(image.segments).toHaveLength(1);
    expect(image.end).toBe(0x8100_0000n);
  });

  const good = elf([{ physical: 0x8000_0000n, bytes: CODE }], 0x8000_0000n, [["main", 1n]]);
  const patched = (at: number, bits: 8 | 16 | 32 | 64, value: bigint): Uint8Array => {
    const file = good.slice();
    const view = new DataView(file.buffer);
    if (bits === 8) view.setUint8(at, Number(value));
    else if (bits === 16) view.setUint16(at, Number(value), true);
    else if (bits === 32) view.setUint32(at, Number(value), true);
    else view.setBigUint64(at, value, true);
    return file;
  };
  const sections = good.length - 3 * SECTION_BYTES;
  const [OFFSET, PHYSICAL, IN_FILE, IN_MEMORY] = [64 + 8, 64 + 24, 64 + 32, 64 + 40] as const;
  const huge = 0xffff_ffff_ffff_fff0n;
  const ramText = "it must fit into RAM (0x80000000 to 0x80ffffff)";

  test.each<[string, Uint8Array, string]>([
    ["only the magic", good.slice(0, 4), "an ELF64 header has 64 bytes: the file has 4"],
    ["a header cut short", good.slice(0, 63), "an ELF64 header has 64 bytes: the file has 63"],
    ["32 bits", patched(4, 8, 1n), "an ELF file must be of class ELF64: class 1"],
    ["big-endian", patched(5, 8, 2n), "an ELF file must be little-endian: data encoding 2"],
    ["for x86-64", patched(18, 16, 62n), "an ELF file must be for RISC-V (machine 243): machine 62"],
    ["an object file", patched(16, 16, 1n), "an ELF file must be executable (type 2 or 3): type 1"],
    ["a core file", patched(16, 16, 4n), "an ELF file must be executable (type 2 or 3): type 4"],
    [
      "no program headers",
      patched(56, 16, 0n),
      "an ELF file has a loadable segment: 0 program headers, none of which is one",
    ],
    [
      "no loadable segment",
      patched(64, 32, 2n),
      "an ELF file has a loadable segment: 1 program headers, none of which is one",
    ],
    ["65,535 program headers", patched(56, 16, 0xffffn), "an ELF file has at most 65,534 program headers: more"],
    [
      "65,534 program headers",
      patched(56, 16, 0xfffen),
      `program headers must lie inside the file: 3669904 bytes at offset 64 of ${good.length}`,
    ],
    ["odd program headers", patched(54, 16, 32n), "a program header has 56 bytes: 32"],
    [
      "program headers behind the end",
      patched(32, 64, huge),
      "program headers must lie inside the file: 56 bytes at offset 18446744073709551600",
    ],
    [
      "a segment behind the end",
      patched(OFFSET, 64, BigInt(good.length)),
      "a segment must lie inside the file: 8 bytes at offset",
    ],
    [
      "a segment whose end wraps",
      patched(OFFSET, 64, huge),
      "a segment must lie inside the file: 8 bytes at offset 18446744073709551600",
    ],
    [
      "a segment shorter in memory",
      patched(IN_MEMORY, 64, 7n),
      "a segment is at least as long in memory as in the file: 8 bytes in the file, 7 in memory",
    ],
    [
      "a huge length in memory",
      patched(IN_MEMORY, 64, huge),
      "a segment must fit into RAM: 18446744073709551600 bytes",
    ],
    [
      "a length in memory of 2^53 - 1",
      patched(IN_MEMORY, 64, (1n << 53n) - 1n),
      `${ramText}: it needs 9007199254740991 bytes at 0x80000000`,
    ],
    [
      "a huge length in the file",
      patched(IN_FILE, 64, 0x10_0000n),
      "a segment is at least as long in memory as in the file",
    ],
    ["a segment below RAM", patched(PHYSICAL, 64, 0x7fff_ffffn), `${ramText}: it needs 8 bytes at 0x7fffffff`],
    ["a segment across RAM's end", patched(PHYSICAL, 64, 0x80ff_fff9n), `${ramText}: it needs 8 bytes at 0x80fffff9`],
    [
      "a segment whose address wraps",
      patched(PHYSICAL, 64, huge),
      `${ramText}: it needs 8 bytes at 0xfffffffffffffff0`,
    ],
    ["an entry outside", patched(24, 64, 0x8000_0008n), "its entry must lie in a segment: it is 0x80000008"],
    [
      "section headers cut off",
      good.slice(0, -1),
      `section headers must lie inside the file: 192 bytes at offset ${sections} of ${good.length - 1}`,
    ],
    ["odd section headers", patched(58, 16, 40n), "a section header has 64 bytes: 40"],
    [
      "a symbol table behind the end",
      patched(sections + 64 + 24, 64, huge),
      "the symbol table must lie inside the file",
    ],
    [
      "symbols whose names are no section",
      patched(sections + 64 + 40, 32, 3n),
      "the symbols' names must be a section: number 3 of 3",
    ],
    ["names behind the end", patched(sections + 128 + 32, 64, huge), "the symbols' names must lie inside the file"],
    [
      "overlapping segments",
      elf(
        [
          { physical: 0x8000_0000n, bytes: CODE, memory: 0x1001n },
          { physical: 0x8000_1000n, bytes: CODE },
        ],
        0x8000_0000n,
      ),
      "its segments must not overlap: one starts at 0x80001000, the one before it ends at 0x80001001",
    ],
    [
      "the same segment twice",
      elf(
        [
          { physical: 0x8000_0000n, bytes: CODE },
          { physical: 0x8000_0000n, bytes: CODE },
        ],
        0x8000_0000n,
      ),
      "its segments must not overlap: one starts at 0x80000000, the one before it ends at 0x80000008",
    ],
  ])("%s is refused", (_, file, message) => {
    expect(() => load(file)).toThrow(ImageError);
    expect(() => load(file)).toThrow(`Cannot load a.out as ${message}`);
  });

  test("segments may touch", () => {
    const file = elf(
      [
        { physical: 0x8000_0000n, bytes: CODE },
        { physical: 0x8000_0008n, bytes: CODE },
      ],
      0x8000_0008n,
    );
    expect(load(file).end).toBe(0x8000_0010n);
  });

  test("a symbol that is cut off by the end of its table is none", () => {
    expect(load(good).symbols.get("main")).toBe(1n);
    expect(load(patched(sections + 64 + 32, 64, BigInt(2 * SYMBOL_BYTES - 1))).symbols.size).toBe(0);
  });

  test("a symbol whose name lies outside the names has none", () => {
    const symbol = sections - SYMBOL_BYTES;
    expect(load(patched(symbol, 32, 0xffff_ffffn)).symbols.size).toBe(0);
  });

  test("any damage is loaded as some image inside RAM, or refused with an ImageError", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff)), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.nat(2 * good.length),
        (changes, length) => {
          const damaged = good.slice(0, Math.max(1, length));
          for (const [at, value] of changes) if (at < damaged.length) damaged[at] = value;
          try {
            const image = load(damaged);
            expect(image.end <= RAM.base + BigInt(RAM.size)).toBe(true);
            expect(image.entry >= RAM.base && image.entry < image.end).toBe(true);
            expect(image.symbols.size).toBeLessThan(damaged.length);
          } catch (error) {
            expect(error).toBeInstanceOf(ImageError);
          }
        },
      ),
      { seed: 7, numRuns: 2000 },
    );
  });
});

describe("RISC-V Image (boot-image-header.rst)", () => {
  const image = (fields: { textOffset?: bigint; imageSize?: bigint; flags?: bigint }): Uint8Array => {
    const file = new Uint8Array(128);
    const view = new DataView(file.buffer);
    view.setBigUint64(0x08, fields.textOffset ?? 0x20_0000n, true);
    view.setBigUint64(0x10, fields.imageSize ?? 0x1000n, true);
    view.setBigUint64(0x18, fields.flags ?? 0n, true);
    file.set(new TextEncoder().encode("RISCV\0\0\0RSC\x05"), 0x30);
    return file;
  };

  test("lies text_offset behind the start of RAM, starts at its first byte, and is image_size long", () => {
    const { kind, segments, entry, end } = load(image({}));
    expect(kind).toBe("image");
    expect(entry).toBe(0x8020_0000n);
    expect(segments.map(({ address, memoryBytes }) => [address, memoryBytes])).toEqual([[0x8020_0000n, 0x1000]]);
    expect(end).toBe(0x8020_1000n);
  });

  test("is at least as long as its file", () => {
    expect(load(image({ imageSize: 0n })).end).toBe(0x8020_0080n);
  });

  test.each([
    ["big-endian", image({ flags: 1n }), "a RISC-V Image must be little-endian: its flags say big-endian"],
    [
      "off the boundary",
      image({ textOffset: 0x1000n }),
      "a RISC-V Image starts on a 2 MiB boundary: its text_offset is 0x1000",
    ],
    [
      "longer than RAM",
      image({ imageSize: 0x100_0000n }),
      "it must fit into RAM (0x80000000 to 0x80ffffff): it needs 16777216 bytes at 0x80200000",
    ],
    ["huge", image({ imageSize: 0xffff_ffff_ffff_ffffn }), "it must fit into RAM"],
    ["behind RAM", image({ textOffset: 0x100_0000n }), "it must fit into RAM"],
    ["at an offset that wraps", image({ textOffset: 0xffff_ffff_8000_0000n }), "it must fit into RAM"],
  ])("%s is refused", (_, file, message) => {
    expect(() => load(file)).toThrow(ImageError);
    expect(() => load(file)).toThrow(`Cannot load a.out as ${message}`);
  });

  test("a file of a header alone is one", () => {
    expect(load(image({}).slice(0, 64)).kind).toBe("image");
  });

  test("a header that is cut is raw bytes", () => {
    expect(load(image({}).slice(0, 63)).kind).toBe("raw");
  });
});

describe("raw bytes", () => {
  test("go where they are wanted, and start there", () => {
    for (const address of [0x8020_0000n, 0x8000_0000n]) {
      const { kind, segments, entry, end, symbols } = load(CODE, address);
      expect([kind, entry, end, symbols.size]).toEqual(["raw", address, address + 8n, 0]);
      expect(segments[0]?.bytes).toEqual(CODE);
    }
  });

  test("an empty file is no image", () => {
    expect(() => load(new Uint8Array(0))).toThrow(
      new ImageError("Cannot load a.out as an image has at least one byte: the file is empty"),
    );
  });

  test("a file larger than RAM is refused", () => {
    expect(() => load(new Uint8Array(RAM.size), 0x8020_0000n)).toThrow("Cannot load a.out as it must fit into RAM");
  });
});

describe("placing boot data", () => {
  test("the device tree lies on the highest 2 MiB boundary, the disk on a page below it", () => {
    expect(placeBootData(RAM, 0x8040_0000n, 3000)).toEqual({ deviceTree: 0x80e0_0000n });
    expect(placeBootData(RAM, 0x8040_0000n, 3000, 0x12_3456)).toEqual({
      deviceTree: 0x80e0_0000n,
      initrd: { start: 0x80cd_c000n, end: 0x80df_f456n },
    });
  });

  test("where RAM is small, a page boundary has to do", () => {
    const small = { base: 0x8000_0000n, size: 0x10_0000 };
    expect(placeBootData(small, 0x8000_1000n, 3000)).toEqual({ deviceTree: 0x800f_f000n });
  });

  test("the device tree may follow the kernel at once", () => {
    expect(placeBootData(RAM, 0x80e0_0000n, 3000).deviceTree).toBe(0x80e0_0000n);
    expect(placeBootData(RAM, 0x80e0_0001n, 3000).deviceTree).toBe(0x80ff_f000n);
  });

  test("nothing is put over the kernel, its zeroed part included", () => {
    expect(placeBootData(RAM, 0x80df_f000n, 3000, 0x1000).initrd?.start).toBe(0x80df_f000n);
    expect(placeBootData(RAM, 0x80df_f001n, 3000, 0x1000)).toEqual({
      deviceTree: 0x80ff_f000n,
      initrd: { start: 0x80ff_e000n, end: 0x80ff_f000n },
    });
    expect(() => placeBootData(RAM, 0x80ff_e001n, 3000, 0x1000)).toThrow(
      new ImageError("Cannot place boot data as they must fit into RAM behind the kernel: 7096 bytes of 8191 left"),
    );
  });
});
