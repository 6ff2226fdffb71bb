import fc from "fast-check";
import { expect, test } from "vitest";
import { Disk } from "./disk.ts";

const image = (): Uint8Array => Uint8Array.from({ length: 5 * 4096 + 512 }, (_, at) => (at * 7) & 0xff);

test("reads and writes are those of an array of bytes, block boundaries or not", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ offset: fc.nat(20_991), length: fc.integer({ min: 1, max: 9000 }), fill: fc.nat(255) })),
      (writes) => {
        const disk = new Disk(image());
        const model = image();
        for (const { offset, length, fill } of writes) {
          const bytes = new Uint8Array(Math.min(length, model.length - offset)).fill(fill);
          disk.write(offset, bytes);
          model.set(bytes, offset);
        }
        // toEqual takes milliseconds for each array of this length.
        const read = disk.read(0, disk.size);
        expect(read.length).toBe(model.length);
        expect(read.findIndex((byte, at) => byte !== model[at])).toBe(-1);
      },
    ),
    { seed: 1, numRuns: 100 },
  );
});

test("equal contents are equal bytes, however they came about", () => {
  const [one, other, untouched] = [new Disk(image()), new Disk(image()), new Disk(image())];
  one.write(0, Uint8Array.of(9));
  one.write(8192, Uint8Array.of(8));
  other.write(8192, Uint8Array.of(8));
  other.write(4096, Uint8Array.of(1));
  other.write(4096, other.read(4096, 0));
  other.write(4096, image().subarray(4096, 4097));
  other.write(0, Uint8Array.of(9));
  expect(one.save()).toEqual(other.save());
  expect(one.save()).not.toEqual(untouched.save());
  one.write(0, image().subarray(0, 1));
  one.write(8192, image().subarray(8192, 8193));
  expect(one.save()).toEqual(untouched.save());
});

test("a saved disk is restored over whatever was there, and does not share its blocks", () => {
  const disk = new Disk(image());
  disk.write(4095, Uint8Array.of(1, 2));
  const state = disk.save();
  const restored = new Disk(image());
  restored.write(9000, Uint8Array.of(3));
  restored.load(state);
  expect(restored.read(0, disk.size)).toEqual(disk.read(0, disk.size));
  disk.write(4095, Uint8Array.of(5));
  expect(restored.read(4095, 1)).toEqual(Uint8Array.of(1));
  expect(restored.save()).toEqual(state);
});

test("the image belongs to the caller: neither side sees what the other does to it", () => {
  const bytes = image();
  const disk = new Disk(bytes);
  disk.write(0, Uint8Array.of(0xff));
  expect(bytes[0]).toBe(0);
  bytes[1] = 0xee;
  expect(disk.read(1, 1)).toEqual(Uint8Array.of(7));
});

test("a state of another size or with a block that is not there is refused", () => {
  const disk = new Disk(image());
  expect(() => disk.load(new Disk(new Uint8Array(512)).save())).toThrow(
    "Cannot restore disk as it has 20992 bytes: the state is of one with 512",
  );
  disk.write(0, Uint8Array.of(1));
  const state = disk.save();
  state[state.length - 4096 - 4 - 4] = 6; // The block's number.
  const target = new Disk(image());
  expect(() => target.load(state)).toThrow("Cannot restore disk as a block must be at most 5: 6");
  expect(target.save()).toEqual(new Disk(image()).save());
});

test.each([
  [20_992, 1],
  [20_991, 2],
  [-1, 1],
])("there is nothing at %i for %i bytes", (offset, length) => {
  const disk = new Disk(image());
  expect(() => disk.read(offset, length)).toThrow(RangeError);
  expect(() => disk.write(offset, new Uint8Array(length))).toThrow(RangeError);
});
