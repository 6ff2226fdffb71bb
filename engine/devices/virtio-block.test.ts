/** Sections are those of Virtual I/O Device (VIRTIO) 1.2. */
import { describe, expect, test } from "vitest";
import { BusError, type DeviceMemory } from "../machine/device.ts";
import { VirtioBlock } from "./virtio-block.ts";
import type { Buffer, Chain } from "./virtqueue.ts";

const [IN, OUT, FLUSH, GET_ID] = [0, 1, 4, 8] as const;
const [OK, IO_ERROR, UNSUPPORTED] = [0, 1, 2] as const;
const [HEADER, DATA, STATUS] = [0x0n, 0x1000n, 0xf000n] as const;

function bench(options: { sectors?: number; readOnly?: boolean } = {}) {
  const { sectors = 16, readOnly = false } = options;
  const ram = new Uint8Array(0x1_0000);
  const at = (address: bigint, length: number): number => {
    if (address + BigInt(length) > BigInt(ram.length)) throw new BusError("no RAM");
    return Number(address);
  };
  const memory: DeviceMemory = {
    read: (address, length) => ram.slice(at(address, length), at(address, length) + length),
    write: (address, bytes) => ram.set(bytes, at(address, bytes.length)),
  };
  const image = Uint8Array.from({ length: sectors * 512 }, (_, byte) => (byte >> 9) + 1);
  const block = new VirtioBlock({ image, readOnly });
  ram[Number(STATUS)] = 0xff;
  const header = (type: number, sector: bigint): Buffer => {
    const view = new DataView(ram.buffer);
    view.setUint32(0, type, true);
    view.setBigUint64(8, sector, true);
    return { address: HEADER, length: 16 };
  };
  const status: Buffer = { address: STATUS, length: 1 };
  return {
    block,
    ram,
    header,
    run: (readable: Buffer[], writable: Buffer[]) => {
      const used = block.complete(0, { head: 0, readable, writable }, memory);
      return { used, status: ram[Number(STATUS)] };
    },
    in: (sector: bigint, length: number, address: bigint = DATA) => {
      const chain = [header(IN, sector)];
      const used = block.complete(0, { head: 0, readable: chain, writable: [{ address, length }, status] }, memory);
      return { used, status: ram[Number(STATUS)] };
    },
    out: (sector: bigint, length: number, address: bigint = DATA) => {
      const chain = [header(OUT, sector), { address, length }];
      const used = block.complete(0, { head: 0, readable: chain, writable: [status] }, memory);
      return { used, status: ram[Number(STATUS)] };
    },
    status,
  };
}

test("offers flush and seg_max, and read-only where it is (section 5.2.3)", () => {
  expect(bench().block.features).toBe((1n << 2n) | (1n << 9n));
  expect(bench({ readOnly: true }).block.features).toBe((1n << 2n) | (1n << 5n) | (1n << 9n));
});

test("its configuration says how many sectors and segments there are (section 5.2.4)", () => {
  const { config } = bench({ sectors: 300 }).block;
  const view = new DataView(config.buffer);
  expect([view.getBigUint64(0, true), view.getUint32(12, true)]).toEqual([300n, 254]);
});

test("an image that ends inside a sector is completed with zeroes", () => {
  const block = new VirtioBlock({ image: new Uint8Array(513).fill(7) });
  expect(new DataView(block.config.buffer).getBigUint64(0, true)).toBe(2n);
  expect(block.disk.read(512, 512)).toEqual(Uint8Array.from({ length: 512 }, (_, at) => (at === 0 ? 7 : 0)));
});

test("a request takes 5,000 steps and one more for each 16 bytes of payload (T8)", () => {
  const { block } = bench();
  const chain = (payload: number): Chain => ({
    head: 0,
    readable: [{ address: HEADER, length: 16 }],
    writable: [
      { address: DATA, length: payload },
      { address: STATUS, length: 1 },
    ].filter(({ length }) => length > 0),
  });
  expect([0, 15, 16, 512, 4096].map((payload) => block.latency(0, chain(payload)))).toEqual([
    5000, 5000, 5001, 5032, 5256,
  ]);
});

describe("requests (section 5.2.6)", () => {
  test("IN reads sectors", () => {
    const { in: read, ram } = bench();
    expect(read(3n, 1024)).toEqual({ used: 1025, status: OK });
    expect([ram[0x1000], ram[0x11ff], ram[0x1200], ram[0x13ff], ram[0x1400]]).toEqual([4, 4, 5, 5, 0]);
  });

  test("OUT writes sectors, IN reads them back, and the caller's image stays as it was", () => {
    const { in: read, out: write, ram, block } = bench();
    ram.fill(0x99, 0x1000, 0x1200);
    expect(write(2n, 512)).toEqual({ used: 1, status: OK });
    ram.fill(0, 0x1000, 0x2000);
    read(1n, 1536);
    expect([ram[0x1000], ram[0x1200], ram[0x13ff], ram[0x1400]]).toEqual([2, 0x99, 0x99, 4]);
    expect(block.disk.read(1024, 1)).toEqual(Uint8Array.of(0x99));
  });

  test("framing means nothing: the header in pieces, data and status in one buffer (section 2.7.4)", () => {
    const { run, header, ram } = bench();
    const { address } = header(IN, 5n);
    const readable = [
      { address, length: 3 },
      { address: address + 3n, length: 13 },
    ];
    const writable = [
      { address: DATA, length: 100 },
      { address: DATA + 0x200n, length: 413 },
    ];
    expect(run(readable, writable).used).toBe(513);
    expect([ram[0x1000], ram[0x1063], ram[0x1064], ram[0x1200], ram[0x139b], ram[0x139c]]).toEqual([6, 6, 0, 6, 6, OK]);
  });

  test("FLUSH has nothing left to do", () => {
    const { run, header, status } = bench();
    expect(run([header(FLUSH, 0n)], [status])).toEqual({ used: 1, status: OK });
  });

  test("GET_ID gives 20 bytes, or as many as fit", () => {
    const { run, header, status, ram } = bench();
    expect(run([header(GET_ID, 0n)], [{ address: DATA, length: 20 }, status])).toEqual({ used: 21, status: OK });
    expect(String.fromCharCode(...ram.slice(0x1000, 0x1014))).toBe("trapline-disk\0\0\0\0\0\0\0");
    ram.fill(0xee, 0x1000, 0x1020);
    expect(run([header(GET_ID, 0n)], [{ address: DATA, length: 4 }, status]).used).toBe(5);
    expect([ram[0x1003], ram[0x1004]]).toEqual(["p".charCodeAt(0), 0xee]);
  });

  test.each([2, 3, 5, 11, 13, 0xffff_ffff])("type %i is not supported", (type) => {
    const { run, header, status } = bench();
    expect(run([header(type, 0n)], [status]).status).toBe(UNSUPPORTED);
  });
});

describe("requests that fail, and change nothing", () => {
  test.each([
    ["one past the end", 16n, 512],
    ["across the end", 15n, 1024],
    ["at the largest sector", 0xffff_ffff_ffff_ffffn, 512],
    ["at a sector whose byte offset wraps to 0", 1n << 55n, 512],
    ["of part of a sector", 0n, 511],
  ])("%s", (_, sector, length) => {
    const { in: read, out: write, ram, block } = bench();
    const before = block.save();
    ram.fill(0x55, 0x1000, 0x2000);
    expect(read(sector, length)).toEqual({ used: 0, status: IO_ERROR });
    expect(ram[0x1000]).toBe(0x55);
    expect(write(sector, length).status).toBe(IO_ERROR);
    expect(block.save()).toEqual(before);
  });

  test("a write to a read-only disk", () => {
    const { out: write, in: read, block } = bench({ readOnly: true });
    const before = block.save();
    expect(write(0n, 512).status).toBe(IO_ERROR);
    expect(block.save()).toEqual(before);
    expect(read(0n, 512).status).toBe(OK);
  });

  test("data outside RAM", () => {
    const { in: read, out: write, block } = bench();
    const before = block.save();
    expect(read(0n, 512, 0xffff_ffff_ffff_ff00n).status).toBe(IO_ERROR);
    expect(write(0n, 512, 0x1_0000n).status).toBe(IO_ERROR);
    expect(block.save()).toEqual(before);
  });

  test("a request without room for header or status cannot even be answered", () => {
    const { run, header, status } = bench();
    const whole = header(FLUSH, 0n);
    expect(() => run([{ ...whole, length: 15 }], [status])).toThrow(
      "a request has 16 bytes of header and 1 of status: 15 and 1",
    );
    expect(() => run([whole], [])).toThrow("a request has 16 bytes of header and 1 of status: 16 and 0");
  });

  test("a status byte outside RAM cannot be answered either", () => {
    const { run, header } = bench();
    expect(() => run([header(FLUSH, 0n)], [{ address: 0x1_0000n, length: 1 }])).toThrow(BusError);
  });
});
