/** Sections are those of ATA/ATAPI-4, T13/1153D revision 18. */
import { describe, expect, test } from "vitest";
import { BusError } from "../machine/device.ts";
import { Ata } from "./ata.ts";

const [DATA, ERROR, FEATURES, COUNT, LOW, MID, HIGH, DEVICE, STATUS, COMMAND] = [
  0x00, 0x04, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x18, 0x1c, 0x1c,
] as const;
const CONTROL = 0x800;
const [BSY, READY, DRQ, ERR] = [0x80, 0x50, 0x08, 0x01] as const;
const [IDNF, ABRT] = [0x10, 0x04] as const;
const [READ, WRITE, FLUSH, IDENTIFY] = [0x20, 0x30, 0xe7, 0xec] as const;
const LBA = 0x40;

function bench(sectors = 16) {
  let now = 1000;
  let due: number | null = null;
  let line = false;
  const image = Uint8Array.from({ length: sectors * 512 }, (_, byte) => ((byte >> 9) * 7 + byte) & 0xff);
  const make = (): Ata =>
    new Ata({
      name: "ata0",
      line: {
        set: (asserted) => {
          line = asserted;
        },
      },
      clock: {
        now: () => now,
        schedule: (at) => {
          due = at;
        },
      },
      image,
    });
  const ata = make();
  const get = (offset: number): number => Number(ata.read(offset, 1));
  const put = (offset: number, value: number): void => ata.write(offset, 1, BigInt(value));
  const word = (): number => Number(ata.read(DATA, 2));
  return {
    ata,
    image,
    get,
    put,
    word,
    make,
    get line() {
      return line;
    },
    get due() {
      return due;
    },
    /** Lets guest time come to what the device waits for. @returns How long that took. */
    wait(): number {
      const took = due! - now;
      now = due!;
      due = null;
      ata.due();
      return took;
    },
    command(code: number, sector = 0, count = 1): void {
      put(COUNT, count);
      put(LOW, sector & 0xff);
      put(MID, (sector >> 8) & 0xff);
      put(HIGH, (sector >> 16) & 0xff);
      put(DEVICE, LBA | ((sector >> 24) & 0xf));
      put(COMMAND, code);
    },
    sector: (): Uint8Array => {
      const words = Array.from({ length: 256 }, word);
      return Uint8Array.from(words.flatMap((value) => [value & 0xff, value >> 8]));
    },
    fill: (bytes: Uint8Array): void => {
      for (let at = 0; at < 512; at += 2) ata.write(DATA, 2, BigInt(bytes[at]! | (bytes[at + 1]! << 8)));
    },
    state: () => [STATUS, ERROR].map((offset) => get(offset === STATUS ? CONTROL : offset)),
  };
}

describe("reading sectors (section 9.6)", () => {
  test("BSY until the latency is over, then DRQ with INTRQ; reading Status takes INTRQ down, Alternate Status does not", () => {
    const disk = bench();
    disk.command(READ, 3);
    expect([disk.get(CONTROL), disk.line]).toEqual([BSY, false]);
    expect(disk.wait()).toBe(5000 + 512 / 16);
    expect([disk.get(CONTROL), disk.line]).toEqual([READY | DRQ, true]);
    expect([disk.get(STATUS), disk.line]).toEqual([READY | DRQ, false]);
    expect(disk.sector()).toEqual(disk.image.subarray(3 * 512, 4 * 512));
    // Behind the last sector there is neither DRQ nor an interrupt.
    expect([disk.get(CONTROL), disk.line, disk.due]).toEqual([READY, false, null]);
  });

  test("each further sector is BSY for the time of its bytes, and has an interrupt of its own (T8)", () => {
    const disk = bench();
    disk.command(READ, 4, 3);
    const times = [];
    for (let sector = 4; sector < 7; sector++) {
      times.push(disk.wait());
      expect(disk.line).toBe(true);
      disk.get(STATUS);
      expect(disk.sector()).toEqual(disk.image.subarray(sector * 512, (sector + 1) * 512));
      expect(disk.get(CONTROL)).toBe(sector < 6 ? BSY : READY);
    }
    expect(times).toEqual([5032, 32, 32]);
  });

  test("a count of 0 stands for 256 sectors (section 8.27)", () => {
    const disk = bench(300);
    disk.command(READ, 10, 0);
    for (let sector = 0; sector < 256; sector++) {
      disk.wait();
      expect(disk.sector()[0]).toBe(disk.image[(10 + sector) * 512]);
    }
    expect([disk.get(CONTROL), disk.due]).toEqual([READY, null]);
  });

  test("what it gives is on the disk at completion, not at the command", () => {
    const disk = bench();
    disk.command(READ, 2);
    disk.ata.disk.write(2 * 512, Uint8Array.of(0xaa, 0xbb));
    disk.wait();
    expect(disk.word()).toBe(0xbbaa);
  });

  test("28 bits of address reach the device: those of Device/Head are the highest", () => {
    const disk = bench();
    disk.command(READ, 0x0123_4567);
    disk.wait();
    expect(disk.state()).toEqual([READY | ERR, IDNF]);
    expect([LOW, MID, HIGH, DEVICE].map(disk.get)).toEqual([0x67, 0x45, 0x23, LBA | 1]);
  });
});

describe("writing sectors (section 9.7)", () => {
  const bytes = (seed: number): Uint8Array => Uint8Array.from({ length: 512 }, (_, at) => (at * seed) & 0xff);

  test("asks for the first sector at once and without an interrupt; each is on the disk when its latency is over", () => {
    const disk = bench();
    disk.command(WRITE, 5, 2);
    expect([disk.get(CONTROL), disk.line, disk.due]).toEqual([READY | DRQ, false, null]);
    disk.fill(bytes(3));
    expect(disk.get(CONTROL)).toBe(BSY);
    expect(disk.ata.disk.read(5 * 512, 512)).toEqual(disk.image.slice(5 * 512, 6 * 512));
    expect(disk.wait()).toBe(5032);
    expect(disk.ata.disk.read(5 * 512, 512)).toEqual(bytes(3));
    expect([disk.get(CONTROL), disk.line]).toEqual([READY | DRQ, true]);
    disk.get(STATUS);
    disk.fill(bytes(5));
    expect(disk.wait()).toBe(32);
    expect(disk.ata.disk.read(6 * 512, 512)).toEqual(bytes(5));
    expect([disk.get(CONTROL), disk.line, disk.due]).toEqual([READY, true, null]);
  });

  test("stops at the first sector that is not there, and names it", () => {
    const disk = bench(16);
    disk.command(WRITE, 15, 2);
    disk.fill(bytes(7));
    disk.wait();
    expect(disk.state()).toEqual([READY | ERR, IDNF]);
    expect([disk.get(LOW), disk.line]).toEqual([16, true]);
    expect(disk.ata.disk.read(15 * 512, 512)).toEqual(bytes(7));
  });

  test("no data is asked for where already the first is not there", () => {
    const disk = bench(16);
    disk.command(WRITE, 16);
    expect(disk.get(CONTROL)).toBe(BSY);
    disk.wait();
    expect(disk.state()).toEqual([READY | ERR, IDNF]);
  });
});

describe("other commands", () => {
  test("IDENTIFY DEVICE describes the disk (section 8.12)", () => {
    const disk = bench(1000);
    disk.command(IDENTIFY);
    disk.wait();
    expect(disk.line).toBe(true);
    const words = Array.from({ length: 256 }, disk.word);
    expect([words[0], words[49], words[80], words[83]]).toEqual([0x0040, 0x0200, 0x0010, 0x4000]);
    expect(words[60]! | (words[61]! << 16)).toBe(1000);
    const model = words.slice(27, 47).map((word) => String.fromCharCode(word >> 8, word & 0xff));
    expect(model.join("").trimEnd()).toBe("Trapline ATA disk");
    expect(disk.get(CONTROL)).toBe(READY);
  });

  test("FLUSH CACHE takes a disk's latency and ends with an interrupt", () => {
    const disk = bench();
    disk.command(FLUSH);
    expect([disk.get(CONTROL), disk.wait(), disk.line, disk.get(STATUS)]).toEqual([BSY, 5000, true, READY]);
  });

  test("every other command is aborted at once, and so is an address in cylinders, heads and sectors", () => {
    for (let code = 0; code < 256; code++) {
      if ([READ, WRITE, FLUSH, IDENTIFY].includes(code as never)) continue;
      const disk = bench();
      disk.command(code);
      expect([...disk.state(), disk.line, disk.due], `0x${code.toString(16)}`).toEqual([READY | ERR, ABRT, true, null]);
    }
    for (const code of [READ, WRITE]) {
      const disk = bench();
      disk.put(DEVICE, 0);
      disk.put(COMMAND, code);
      expect(disk.state()).toEqual([READY | ERR, ABRT]);
    }
  });

  test("a command clears the error and the interrupt of the one before", () => {
    const disk = bench();
    disk.command(0x00);
    expect([disk.line, disk.get(ERROR)]).toEqual([true, ABRT]);
    disk.command(READ);
    expect([disk.line, disk.get(CONTROL)]).toEqual([false, BSY]);
    disk.wait();
    expect(disk.get(ERROR)).toBe(0);
  });
});

describe("the control block (section 7.3)", () => {
  test("nIEN holds INTRQ down while an interrupt is pending, and no longer", () => {
    const disk = bench();
    disk.put(CONTROL, 2);
    disk.command(READ);
    disk.wait();
    expect(disk.line).toBe(false);
    disk.put(CONTROL, 0);
    expect(disk.line).toBe(true);
    disk.put(CONTROL, 2);
    expect(disk.line).toBe(false);
    disk.get(STATUS);
    disk.put(CONTROL, 0);
    expect(disk.line).toBe(false);
  });

  test("SRST gives up what the device does, and leaves the signature of a disk (section 9.1)", () => {
    const disk = bench();
    disk.command(READ, 3, 2);
    disk.wait();
    disk.put(CONTROL, 4);
    expect([disk.get(CONTROL), disk.line, disk.due]).toEqual([BSY, false, null]);
    disk.command(READ);
    expect(disk.due).toBe(null);
    disk.put(CONTROL, 0);
    expect(disk.get(CONTROL)).toBe(BSY);
    disk.wait();
    expect(disk.state()).toEqual([READY, 0x01]);
    expect([COUNT, LOW, MID, HIGH, DEVICE].map(disk.get)).toEqual([1, 1, 0, 0, 0]);
    expect(disk.line).toBe(false);
    disk.command(READ, 3);
    disk.wait();
    expect(disk.sector()).toEqual(disk.image.subarray(3 * 512, 4 * 512));
  });
});

describe("a driver that breaks the rules", () => {
  test("while BSY or DRQ is set no register of the command block is written, and while BSY is set each reads as Status", () => {
    const disk = bench();
    disk.command(READ, 3);
    for (const offset of [FEATURES, COUNT, LOW, MID, HIGH, DEVICE, COMMAND]) disk.put(offset, 0x55);
    expect([ERROR, COUNT, LOW, MID, HIGH, DEVICE].map(disk.get)).toEqual(Array(6).fill(BSY));
    expect(disk.wait()).toBe(5032);
    for (const offset of [COUNT, LOW, MID, HIGH, DEVICE, COMMAND]) disk.put(offset, 0x55);
    expect([COUNT, LOW, MID, HIGH, DEVICE].map(disk.get)).toEqual([1, 3, 0, 0, LBA]);
    expect(disk.sector()).toEqual(disk.image.subarray(3 * 512, 4 * 512));
  });

  test("data that nobody asked for is dropped, and data that is not there reads 0", () => {
    const disk = bench();
    expect(disk.word()).toBe(0);
    disk.fill(new Uint8Array(512).fill(9));
    disk.command(READ);
    expect(disk.word()).toBe(0);
    disk.wait();
    disk.ata.write(DATA, 2, 0xffffn);
    expect(disk.sector()).toEqual(disk.image.subarray(0, 512));
    disk.command(WRITE);
    expect(disk.word()).toBe(0);
    expect(disk.ata.disk.read(0, 512)).toEqual(disk.image.slice(0, 512));
  });

  test("device 1, which there is not, shows 0 for Status, takes no command, and has no interrupt (section 9.16)", () => {
    const disk = bench();
    disk.command(0x00);
    disk.put(DEVICE, LBA | 0x10);
    expect([disk.get(CONTROL), disk.line]).toEqual([0, false]);
    disk.put(COMMAND, READ);
    expect(disk.due).toBe(null);
    disk.put(DEVICE, LBA);
    expect([disk.get(CONTROL), disk.line]).toEqual([READY | ERR, true]);
  });

  test.each([
    [0, 1],
    [0, 4],
    [2, 2],
    [4, 2],
    [0x1c, 4],
    [1, 1],
    [0x20, 1],
    [0x804, 1],
    [0x800, 2],
    [0xfff, 1],
  ])("an access at 0x%i of %i bytes reaches no register", (offset, size) => {
    const { ata } = bench();
    expect(() => ata.read(offset, size)).toThrow(BusError);
    expect(() => ata.write(offset, size, 0n)).toThrow(BusError);
  });
});

describe("its state", () => {
  test("is restored in the middle of a sector, with the disk", () => {
    const disk = bench();
    disk.command(WRITE, 1);
    for (let word = 0; word < 100; word++) disk.ata.write(DATA, 2, BigInt(word));
    const restored = disk.make();
    restored.load(disk.ata.save());
    for (let word = 100; word < 256; word++) restored.write(DATA, 2, BigInt(word));
    expect(disk.due).toBe(6032);
    disk.wait(); // the other one waits for data still
    restored.due();
    const written = restored.disk.read(512, 512);
    expect([...new Uint16Array(written.buffer)]).toEqual(Array.from({ length: 256 }, (_, word) => word));
  });

  test("is refused where it says what cannot be, and nothing has changed then", () => {
    const { ata } = bench();
    const good = ata.save();
    const at = "ata/1".length + 1;
    for (const [offset, value] of [
      [at + 7, 0x08], // Device Control
      [at + 8, 2], // a flag
      [at + 10, 0xff], // the command
      [at + 14, 0x20], // the sector
      [at + 16, 0x10], // the count
      [at + 17, 1], // a half word moved
    ] as const) {
      const bad = good.slice();
      bad[offset] = value;
      expect(() => ata.load(bad), `byte ${offset}`).toThrow(/^Cannot restore ata0 as /);
      expect(ata.save()).toEqual(good);
    }
    for (const length of [0, 5, good.length - 1])
      expect(() => ata.load(good.subarray(0, length))).toThrow(/^Cannot restore/);
  });
});
