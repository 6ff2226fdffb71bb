/**
 * The device's side of a split virtqueue: takes descriptor chains from the available ring, gives them back on the used ring.
 *
 * The rings are guest memory, and the guest may be hostile: whatever it wrote there ends as a {@link QueueError} or a chain whose
 * parts are known to be in order. The work of one doorbell is bounded by the queue's size.
 *
 * Left out: indirect descriptors, event index and packed rings; none is offered, so a driver that uses one is in error.
 * Source: Virtual I/O Device (VIRTIO) 1.2, section 2.7.
 *
 * @module
 */
import type { DeviceMemory } from "../machine/device.ts";

/** A guest-physical buffer. */
export interface Buffer {
  readonly address: bigint;
  readonly length: number;
}

/** One request: the buffers that the device reads, then those that it writes. */
export interface Chain {
  /** Index of its first descriptor; names it on the used ring. */
  readonly head: number;
  readonly readable: readonly Buffer[];
  readonly writable: readonly Buffer[];
}

/** The driver broke a rule that leaves the device no request to answer: it must be reset. */
export class QueueError extends Error {
  override readonly name = "QueueError";
}

const DESCRIPTOR_BYTES = 16;
const FLAG_NEXT = 1;
const FLAG_WRITE = 2;
const FLAG_INDIRECT = 4;
const AVAILABLE_NO_INTERRUPT = 1;
/** Section 2.7.5.3: no chain is longer in all. */
const CHAIN_BYTES = 2 ** 32;

/** Where a queue lies, and how far the device has come in it. Plain data: part of the device's state. */
export interface QueueState {
  size: number;
  ready: boolean;
  descriptors: bigint;
  driver: bigint;
  device: bigint;
  /** The next entry of the available ring to take, modulo 2^16. */
  nextAvailable: number;
  /** The next entry of the used ring to fill, modulo 2^16. */
  nextUsed: number;
}

export function emptyQueue(): QueueState {
  return { size: 0, ready: false, descriptors: 0n, driver: 0n, device: 0n, nextAvailable: 0, nextUsed: 0 };
}

/**
 * Checks what the driver has set up (sections 2.7 and 2.7.5 to 2.7.8).
 *
 * @throws {QueueError} If the size is not a power of two up to `limit`, or a part is not aligned.
 */
export function checkQueue(queue: QueueState, limit: number): void {
  const { size } = queue;
  if (size === 0 || size > limit || (size & (size - 1)) !== 0) {
    throw new QueueError(`a queue's size must be a power of two up to ${limit}: ${size}`);
  }
  if (queue.descriptors % 16n !== 0n || queue.driver % 2n !== 0n || queue.device % 4n !== 0n) {
    throw new QueueError("a queue's parts must be aligned to 16, 2 and 4 bytes");
  }
}

/**
 * Takes all chains that the driver has made available.
 *
 * @param inFlight Descriptors of chains taken before and not given back: a descriptor is in one chain at a time, so that all
 * together never exceed the queue's size.
 * @throws {QueueError} If the driver broke a rule. @throws {BusError} If a ring or a descriptor is not in RAM.
 */
export function takeChains(queue: QueueState, memory: DeviceMemory, inFlight: number): Chain[] {
  const index = u16(memory.read(queue.driver + 2n, 2), 0);
  const count = (index - queue.nextAvailable) & 0xffff;
  if (count > queue.size) throw new QueueError(`the available index runs at most ${queue.size} ahead: ${count}`);
  const chains: Chain[] = [];
  let room = queue.size - inFlight;
  for (let taken = 0; taken < count; taken++) {
    const slot = queue.nextAvailable & (queue.size - 1);
    const head = u16(memory.read(queue.driver + 4n + BigInt(2 * slot), 2), 0);
    const chain = chainFrom(queue, memory, head, room);
    room -= chain.readable.length + chain.writable.length;
    queue.nextAvailable = (queue.nextAvailable + 1) & 0xffff;
    chains.push(chain);
  }
  return chains;
}

function chainFrom(queue: QueueState, memory: DeviceMemory, head: number, room: number): Chain {
  const readable: Buffer[] = [];
  const writable: Buffer[] = [];
  let total = 0;
  let index = head;
  for (;;) {
    if (index >= queue.size) throw new QueueError(`a descriptor's index must be below ${queue.size}: ${index}`);
    // A chain that loops runs out of room.
    if (readable.length + writable.length >= room) throw new QueueError("a descriptor may be in flight once only");
    const descriptor = memory.read(queue.descriptors + BigInt(DESCRIPTOR_BYTES * index), DESCRIPTOR_BYTES);
    const view = new DataView(descriptor.buffer, descriptor.byteOffset, DESCRIPTOR_BYTES);
    const buffer = { address: view.getBigUint64(0, true), length: view.getUint32(8, true) };
    const flags = view.getUint16(12, true);
    if ((flags & FLAG_INDIRECT) !== 0) throw new QueueError("indirect descriptors were not negotiated");
    if (buffer.length === 0) throw new QueueError(`descriptor ${index} has no bytes`);
    total += buffer.length;
    if (total > CHAIN_BYTES) throw new QueueError(`a chain has at most 2^32 bytes: ${total}`);
    if ((flags & FLAG_WRITE) !== 0) writable.push(buffer);
    else if (writable.length > 0) throw new QueueError("readable descriptors come before writable ones");
    else readable.push(buffer);
    if ((flags & FLAG_NEXT) === 0) return { head, readable, writable };
    index = view.getUint16(14, true);
  }
}

/**
 * Gives a chain back (section 2.7.8).
 *
 * @param written Bytes written, counted from the first writable buffer.
 * @returns Whether the driver wants an interrupt for it.
 * @throws {BusError} If a ring is not in RAM.
 */
export function giveBack(queue: QueueState, memory: DeviceMemory, head: number, written: number): boolean {
  const slot = queue.nextUsed & (queue.size - 1);
  const element = new Uint8Array(8);
  const view = new DataView(element.buffer);
  view.setUint32(0, head, true);
  view.setUint32(4, written, true);
  memory.write(queue.device + 4n + BigInt(8 * slot), element);
  queue.nextUsed = (queue.nextUsed + 1) & 0xffff;
  memory.write(queue.device + 2n, Uint8Array.of(queue.nextUsed & 0xff, queue.nextUsed >>> 8));
  return (u16(memory.read(queue.driver, 2), 0) & AVAILABLE_NO_INTERRUPT) === 0;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}
