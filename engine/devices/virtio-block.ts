/**
 * The block device behind a virtio transport.
 *
 * Left out: discard, write zeroes, geometry, block size other than 512, several queues. None is offered; such a request is answered
 * VIRTIO_BLK_S_UNSUPP.
 * Source: Virtual I/O Device (VIRTIO) 1.2, section 5.2.
 *
 * @module
 */
import { BusError, type DeviceMemory } from "../machine/device.ts";
import { Disk, diskLatency } from "./disk.ts";
import type { VirtioBackend } from "./virtio-mmio.ts";
import { type Buffer, type Chain, QueueError } from "./virtqueue.ts";

const SECTOR_BYTES = 512;
const HEADER_BYTES = 16;
const STATUS_BYTES = 1;
const ID_BYTES = 20;
const QUEUE_SIZE = 256;

const FEATURE_SEG_MAX = 1n << 2n;
const FEATURE_READ_ONLY = 1n << 5n;
const FEATURE_FLUSH = 1n << 9n;

const IN = 0;
const OUT = 1;
const FLUSH = 4;
const GET_ID = 8;

const OK = 0;
const IO_ERROR = 1;
const UNSUPPORTED = 2;

export interface VirtioBlockOptions {
  /** The disk's first contents. */
  readonly image: Uint8Array;
  /** At most 20 ASCII characters. */
  readonly id?: string;
  readonly readOnly?: boolean;
}

export class VirtioBlock implements VirtioBackend {
  readonly deviceId = 2;
  readonly features: bigint;
  readonly queueSizes: readonly number[] = [QUEUE_SIZE];
  readonly config: Uint8Array;
  readonly disk: Disk;

  readonly #id: Uint8Array;
  readonly #readOnly: boolean;

  constructor({ image, id = "trapline-disk", readOnly = false }: VirtioBlockOptions) {
    this.disk = new Disk(image);
    this.#id = new Uint8Array(ID_BYTES);
    for (let at = 0; at < Math.min(id.length, ID_BYTES); at++) this.#id[at] = id.charCodeAt(at);
    this.#readOnly = readOnly;
    this.features = FEATURE_SEG_MAX | FEATURE_FLUSH | (readOnly ? FEATURE_READ_ONLY : 0n);
    // Section 5.2.4: capacity in sectors, then size_max (not offered) and seg_max; header and status take a descriptor each.
    this.config = new Uint8Array(16);
    const config = new DataView(this.config.buffer);
    config.setBigUint64(0, BigInt(this.disk.size / SECTOR_BYTES), true);
    config.setUint32(12, QUEUE_SIZE - 2, true);
  }

  latency(_queue: number, { readable, writable }: Chain): number {
    const payload = Math.max(0, bytesOf(readable) + bytesOf(writable) - HEADER_BYTES - STATUS_BYTES);
    return diskLatency(payload);
  }

  complete(_queue: number, { readable, writable }: Chain, memory: DeviceMemory): number {
    const readableBytes = bytesOf(readable);
    const writableBytes = bytesOf(writable);
    if (readableBytes < HEADER_BYTES || writableBytes < STATUS_BYTES) {
      throw new QueueError(`a request has 16 bytes of header and 1 of status: ${readableBytes} and ${writableBytes}`);
    }
    // Section 2.7.4: where one buffer ends and the next begins means nothing.
    const header = gather(memory, slice(readable, 0, HEADER_BYTES), HEADER_BYTES);
    const view = new DataView(header.buffer, header.byteOffset);
    const request: Request = {
      type: view.getUint32(0, true),
      sector: view.getBigUint64(8, true),
      source: slice(readable, HEADER_BYTES, readableBytes - HEADER_BYTES),
      sourceBytes: readableBytes - HEADER_BYTES,
      target: slice(writable, 0, writableBytes - STATUS_BYTES),
      targetBytes: writableBytes - STATUS_BYTES,
    };
    const { status, written } = this.#carryOut(request, memory);
    scatter(memory, slice(writable, writableBytes - STATUS_BYTES, STATUS_BYTES), Uint8Array.of(status));
    // The used length counts from the first writable byte, so the status byte counts only if all before it was written.
    return written === request.targetBytes ? written + STATUS_BYTES : written;
  }

  #carryOut(request: Request, memory: DeviceMemory): { status: number; written: number } {
    try {
      switch (request.type) {
        case IN: {
          const offset = this.#offset(request.sector, request.targetBytes);
          if (offset === undefined) return { status: IO_ERROR, written: 0 };
          scatter(memory, request.target, this.disk.read(offset, request.targetBytes));
          return { status: OK, written: request.targetBytes };
        }
        case OUT: {
          const offset = this.#offset(request.sector, request.sourceBytes);
          if (offset === undefined || this.#readOnly) return { status: IO_ERROR, written: 0 };
          this.disk.write(offset, gather(memory, request.source, request.sourceBytes));
          return { status: OK, written: 0 };
        }
        case FLUSH: // What completed is on the disk already.
          return { status: OK, written: 0 };
        case GET_ID: {
          const written = Math.min(ID_BYTES, request.targetBytes);
          scatter(memory, slice(request.target, 0, written), this.#id.subarray(0, written));
          return { status: OK, written };
        }
        default:
          return { status: UNSUPPORTED, written: 0 };
      }
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      return { status: IO_ERROR, written: 0 };
    }
  }

  /** The byte at which a transfer starts, if all of it is whole sectors of the disk. */
  #offset(sector: bigint, length: number): number | undefined {
    const offset = sector * BigInt(SECTOR_BYTES);
    if (length % SECTOR_BYTES !== 0 || offset + BigInt(length) > BigInt(this.disk.size)) return undefined;
    return Number(offset);
  }

  save(): Uint8Array {
    return this.disk.save();
  }

  load(state: Uint8Array): void {
    this.disk.load(state);
  }
}

interface Request {
  readonly type: number;
  readonly sector: bigint;
  /** The payload's buffers, without header and status. */
  readonly source: readonly Buffer[];
  readonly sourceBytes: number;
  readonly target: readonly Buffer[];
  readonly targetBytes: number;
}

function bytesOf(buffers: readonly Buffer[]): number {
  return buffers.reduce((sum, { length }) => sum + length, 0);
}

/** The buffers of `length` bytes from byte `from` on. */
function slice(buffers: readonly Buffer[], from: number, length: number): Buffer[] {
  const parts: Buffer[] = [];
  let start = 0;
  for (const buffer of buffers) {
    const first = Math.max(from, start);
    const end = Math.min(from + length, start + buffer.length);
    if (first < end) parts.push({ address: buffer.address + BigInt(first - start), length: end - first });
    start += buffer.length;
  }
  return parts;
}

function gather(memory: DeviceMemory, buffers: readonly Buffer[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const buffer of buffers) {
    bytes.set(memory.read(buffer.address, buffer.length), at);
    at += buffer.length;
  }
  return bytes;
}

function scatter(memory: DeviceMemory, buffers: readonly Buffer[], bytes: Uint8Array): void {
  let at = 0;
  for (const buffer of buffers) {
    memory.write(buffer.address, bytes.subarray(at, at + buffer.length));
    at += buffer.length;
  }
}
