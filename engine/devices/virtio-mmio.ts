/**
 * A virtio device over MMIO, version 2 of the transport, for any backend; without one, an empty slot.
 *
 * A request is read off the rings at its doorbell and carried out at doorbell + latency, where the latency is a function of the
 * request alone (T8): the payload is read or written only then. A driver that breaks the rules gets DEVICE_NEEDS_RESET.
 *
 * Left out: legacy transport (version 1), shared memory regions, queue reset, notification data. None is offered.
 * Source: Virtual I/O Device (VIRTIO) 1.2, sections 2 and 4.2.
 *
 * @module
 */
import { BusError, type Clock, type Device, type DeviceMemory, type InterruptLine } from "../machine/device.ts";
import { StateReader, StateWriter } from "./device-state.ts";
import {
  type Buffer,
  type Chain,
  checkQueue,
  emptyQueue,
  giveBack,
  QueueError,
  type QueueState,
  takeChains,
} from "./virtqueue.ts";

/** What makes a virtio device of one kind. */
export interface VirtioBackend {
  /** Section 5: 2 is a block device. */
  readonly deviceId: number;
  /** Offered feature bits, without VIRTIO_F_VERSION_1. */
  readonly features: bigint;
  /** The largest size of each queue, a power of two. */
  readonly queueSizes: readonly number[];
  /** The configuration space; what lies behind it reads 0. */
  readonly config: Uint8Array;
  /** Steps from doorbell to completion: a function of the request alone (T8), at least 1. */
  latency(queue: number, chain: Chain): number;
  /**
   * Carries a request out.
   *
   * @returns Bytes written, counted from the first writable buffer.
   * @throws {QueueError} If the request cannot even be answered. @throws {BusError} If memory that an answer needs is not RAM.
   */
  complete(queue: number, chain: Chain, memory: DeviceMemory): number;
  /** What the backend holds, in a fixed order; part of the device's state. */
  save(): Uint8Array;
  /** @throws {RangeError} If the bytes are not such a state; nothing has changed then. */
  load(state: Uint8Array): void;
}

export interface VirtioMmioOptions {
  readonly name: string;
  readonly line: InterruptLine;
  readonly clock: Clock;
  readonly memory: DeviceMemory;
  readonly backend?: VirtioBackend;
}

// Section 4.2.2, table 4.1.
const MAGIC_VALUE = 0x000;
const VERSION = 0x004;
const DEVICE_ID = 0x008;
const VENDOR_ID = 0x00c;
const DEVICE_FEATURES = 0x010;
const DEVICE_FEATURES_SEL = 0x014;
const DRIVER_FEATURES = 0x020;
const DRIVER_FEATURES_SEL = 0x024;
const QUEUE_SEL = 0x030;
const QUEUE_SIZE_MAX = 0x034;
const QUEUE_SIZE = 0x038;
const QUEUE_READY = 0x044;
const QUEUE_NOTIFY = 0x050;
const INTERRUPT_STATUS = 0x060;
const INTERRUPT_ACK = 0x064;
const STATUS = 0x070;
const QUEUE_DESC_LOW = 0x080;
const QUEUE_DESC_HIGH = 0x084;
const QUEUE_DRIVER_LOW = 0x090;
const QUEUE_DRIVER_HIGH = 0x094;
const QUEUE_DEVICE_LOW = 0x0a0;
const QUEUE_DEVICE_HIGH = 0x0a4;
const SHM_LEN_LOW = 0x0b0;
const SHM_BASE_HIGH = 0x0bc;
const CONFIG = 0x100;

const MAGIC = 0x7472_6976n; // "virt"
const VENDOR = 0x4c50_5254n; // "TRPL"
const FEATURE_VERSION_1 = 1n << 32n;

// Section 2.1.
const STATUS_DRIVER_OK = 4;
const STATUS_FEATURES_OK = 8;
const STATUS_NEEDS_RESET = 64;

const INTERRUPT_USED = 1;
const INTERRUPT_CONFIG = 2;

/** The most buffers that one saved chain may have: the largest queue of section 2.7. */
const QUEUE_LIMIT = 32_768;

interface InFlight {
  readonly queue: number;
  readonly at: number;
  readonly chain: Chain;
}

/** Everything but the backend's own. Plain data, replaced as a whole by reset and load. */
interface State {
  deviceFeaturesSel: number;
  driverFeaturesSel: number;
  driverFeatures: bigint;
  /** The driver asked for features that have no number here. */
  acceptedUnknown: boolean;
  queueSel: number;
  status: number;
  interruptStatus: number;
  readonly queues: readonly QueueState[];
  /** In order of their doorbells. */
  inFlight: readonly InFlight[];
}

export class VirtioMmio implements Device {
  readonly name: string;
  readonly size = 0x200;

  readonly #line: InterruptLine;
  readonly #clock: Clock;
  readonly #memory: DeviceMemory;
  readonly #backend: VirtioBackend | undefined;
  #state: State;

  constructor({ name, line, clock, memory, backend }: VirtioMmioOptions) {
    this.name = name;
    this.#line = line;
    this.#clock = clock;
    this.#memory = memory;
    this.#backend = backend;
    this.#state = this.#fresh();
  }

  read(offset: number, size: number): bigint {
    if (offset >= CONFIG) return this.#readConfig(offset - CONFIG, size);
    this.#check("read", offset, size);
    const backend = this.#backend;
    switch (offset) {
      case MAGIC_VALUE:
        return MAGIC;
      case VERSION:
        return 2n;
      case DEVICE_ID:
        return BigInt(backend?.deviceId ?? 0);
      case VENDOR_ID:
        return VENDOR;
    }
    // Section 4.2.2.2: of a slot with device ID 0 nothing else is looked at.
    return backend === undefined ? 0n : this.#readRegister(offset, backend);
  }

  #readRegister(offset: number, backend: VirtioBackend): bigint {
    const state = this.#state;
    switch (offset) {
      case DEVICE_FEATURES:
        return this.#featureWord(backend.features | FEATURE_VERSION_1, state.deviceFeaturesSel);
      case QUEUE_SIZE_MAX:
        return BigInt(backend.queueSizes[state.queueSel] ?? 0);
      case QUEUE_READY:
        return BigInt(state.queues[state.queueSel]?.ready ?? false);
      case INTERRUPT_STATUS:
        return BigInt(state.interruptStatus);
      case STATUS:
        return BigInt(state.status);
      default:
        // Section 4.2.2.1: a shared memory region that does not exist has length and base -1.
        return offset >= SHM_LEN_LOW && offset <= SHM_BASE_HIGH ? 0xffff_ffffn : 0n;
    }
  }

  write(offset: number, size: number, value: bigint): void {
    // No backend of this board has configuration that a driver can write.
    if (offset >= CONFIG) {
      this.#checkConfig("write", offset, size);
      return;
    }
    this.#check("write", offset, size);
    if (this.#backend === undefined) return;
    const state = this.#state;
    const word = BigInt.asUintN(32, value);
    const number = Number(word);
    switch (offset) {
      case DEVICE_FEATURES_SEL:
        state.deviceFeaturesSel = number;
        break;
      case DRIVER_FEATURES:
        // Section 3.1.1: after FEATURES_OK they are settled.
        if ((state.status & STATUS_FEATURES_OK) === 0) this.#acceptFeatures(word);
        break;
      case DRIVER_FEATURES_SEL:
        state.driverFeaturesSel = number;
        break;
      case QUEUE_SEL:
        state.queueSel = number;
        break;
      case QUEUE_NOTIFY:
        this.#doorbell(number);
        break;
      case INTERRUPT_ACK:
        state.interruptStatus &= ~number;
        break;
      case STATUS:
        this.#setStatus(number & 0xff);
        break;
      default:
        this.#writeQueue(offset, word);
    }
    this.#update();
  }

  #setStatus(status: number): void {
    if (status === 0) {
      this.#state = this.#fresh();
      return;
    }
    const { driverFeatures, acceptedUnknown } = this.#state;
    const offered = (this.#backend?.features ?? 0n) | FEATURE_VERSION_1;
    const subset = !acceptedUnknown && (driverFeatures & ~offered) === 0n;
    const acceptable = subset && (driverFeatures & FEATURE_VERSION_1) !== 0n;
    // Section 3.1.1, step 6: the driver reads FEATURES_OK back to see whether the device agrees.
    const settled =
      (this.#state.status & STATUS_FEATURES_OK) !== 0 || acceptable ? status : status & ~STATUS_FEATURES_OK;
    this.#state.status = settled | (this.#state.status & STATUS_NEEDS_RESET);
  }

  #writeQueue(offset: number, word: bigint): void {
    const queue = this.#state.queues[this.#state.queueSel];
    if (queue === undefined) return;
    if (offset === QUEUE_READY) {
      this.#setReady(queue, (word & 1n) !== 0n);
      return;
    }
    // Section 4.2.2.2: a queue in use is not to be changed.
    if (queue.ready) return;
    const low = (old: bigint): bigint => ((old >> 32n) << 32n) | word;
    const high = (old: bigint): bigint => BigInt.asUintN(32, old) | (word << 32n);
    switch (offset) {
      case QUEUE_SIZE:
        queue.size = Number(word);
        break;
      case QUEUE_DESC_LOW:
        queue.descriptors = low(queue.descriptors);
        break;
      case QUEUE_DESC_HIGH:
        queue.descriptors = high(queue.descriptors);
        break;
      case QUEUE_DRIVER_LOW:
        queue.driver = low(queue.driver);
        break;
      case QUEUE_DRIVER_HIGH:
        queue.driver = high(queue.driver);
        break;
      case QUEUE_DEVICE_LOW:
        queue.device = low(queue.device);
        break;
      case QUEUE_DEVICE_HIGH:
        queue.device = high(queue.device);
        break;
      // Read-only and unknown registers ignore writes.
    }
  }

  #setReady(queue: QueueState, ready: boolean): void {
    if (ready === queue.ready) return;
    if (!ready) {
      // The driver may reuse the memory: what is in flight is given up.
      const stopped = this.#state.queues.indexOf(queue);
      this.#state.inFlight = this.#state.inFlight.filter((request) => request.queue !== stopped);
      queue.ready = false;
      return;
    }
    this.#guarded(() => {
      checkQueue(queue, this.#backend?.queueSizes[this.#state.queueSel] ?? 0);
      queue.nextAvailable = 0;
      queue.nextUsed = 0;
      queue.ready = true;
    });
  }

  #doorbell(index: number): void {
    const backend = this.#backend;
    const { queues, inFlight, status } = this.#state;
    const queue = queues[index];
    if (backend === undefined || queue === undefined || !queue.ready) return;
    // Section 3.1.2: nothing is consumed before DRIVER_OK.
    if ((status & STATUS_DRIVER_OK) === 0 || (status & STATUS_NEEDS_RESET) !== 0) return;
    const now = this.#clock.now();
    this.#guarded(() => {
      const buffers = inFlight
        .filter((request) => request.queue === index)
        .reduce((sum, { chain }) => sum + parts(chain), 0);
      const chains = takeChains(queue, this.#memory, buffers);
      const requests = chains.map((chain) => ({ queue: index, at: now + backend.latency(index, chain), chain }));
      this.#state.inFlight = [...inFlight, ...requests];
    });
  }

  due(): void {
    const now = this.#clock.now();
    // By time, and those of one time in the order of their doorbells; sorting is stable.
    const completed = this.#state.inFlight.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
    for (const request of completed) {
      // A request before it may have failed the device, which drops them all.
      if (!this.#state.inFlight.includes(request)) break;
      this.#state.inFlight = this.#state.inFlight.filter((other) => other !== request);
      this.#complete(request);
    }
    this.#update();
  }

  #complete({ queue: index, chain }: InFlight): void {
    const queue = this.#state.queues[index];
    const backend = this.#backend;
    if (queue === undefined || backend === undefined) return;
    this.#guarded(() => {
      const written = backend.complete(index, chain, this.#memory);
      if (giveBack(queue, this.#memory, chain.head, written)) this.#state.interruptStatus |= INTERRUPT_USED;
    });
  }

  /** Does what reads the guest's own structures. Where those are broken, the device stops until it is reset (section 2.1.2). */
  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof QueueError) && !(error instanceof BusError)) throw error;
      this.#state.status |= STATUS_NEEDS_RESET;
      this.#state.inFlight = [];
      if ((this.#state.status & STATUS_DRIVER_OK) !== 0) this.#state.interruptStatus |= INTERRUPT_CONFIG;
    }
  }

  #update(): void {
    this.#line.set(this.#state.interruptStatus !== 0);
    const next = this.#state.inFlight.reduce((earliest, { at }) => Math.min(earliest, at), Number.POSITIVE_INFINITY);
    this.#clock.schedule(Number.isFinite(next) ? next : null);
  }

  #featureWord(features: bigint, select: number): bigint {
    return select > 1 ? 0n : BigInt.asUintN(32, features >> BigInt(32 * select));
  }

  #acceptFeatures(word: bigint): void {
    const state = this.#state;
    const select = state.driverFeaturesSel;
    if (select > 1) {
      // Bits from 64 on are never offered.
      state.acceptedUnknown ||= word !== 0n;
      return;
    }
    const shift = BigInt(32 * select);
    state.driverFeatures = (state.driverFeatures & ~(0xffff_ffffn << shift)) | (word << shift);
  }

  #readConfig(offset: number, size: number): bigint {
    this.#checkConfig("read", offset, size);
    const config = this.#backend?.config;
    let value = 0n;
    for (let at = size - 1; at >= 0; at--) value = (value << 8n) | BigInt(config?.[offset + at] ?? 0);
    return value;
  }

  /** Section 4.2.2.2: a field of the configuration space is read in its own width, at most 4 bytes at a time. */
  #checkConfig(access: string, offset: number, size: number): void {
    if (size > 4 || offset % size !== 0) {
      throw new BusError(
        `Cannot ${access} ${this.name} as its configuration takes 1, 2 or 4 aligned bytes: ${size} at ${offset}`,
      );
    }
  }

  #check(access: string, offset: number, size: number): void {
    if (size !== 4 || offset % 4 !== 0) {
      throw new BusError(
        `Cannot ${access} ${this.name} as its registers are aligned 4-byte words: ${size} bytes at ${offset}`,
      );
    }
  }

  #fresh(): State {
    return {
      deviceFeaturesSel: 0,
      driverFeaturesSel: 0,
      driverFeatures: 0n,
      acceptedUnknown: false,
      queueSel: 0,
      status: 0,
      interruptStatus: 0,
      queues: this.#backend?.queueSizes.map(emptyQueue) ?? [],
      inFlight: [],
    };
  }

  /** What the backend holds stays: a disk keeps its contents. */
  reset(): void {
    this.#state = this.#fresh();
    this.#update();
  }

  save(): Uint8Array {
    const state = this.#state;
    const to = new StateWriter("virtio-mmio/1")
      .u32(this.#backend?.deviceId ?? 0)
      .u32(state.deviceFeaturesSel)
      .u32(state.driverFeaturesSel)
      .u64(state.driverFeatures)
      .bool(state.acceptedUnknown)
      .u32(state.queueSel)
      .u8(state.status)
      .u8(state.interruptStatus);
    for (const queue of state.queues) {
      to.u32(queue.size).bool(queue.ready).u64(queue.descriptors).u64(queue.driver).u64(queue.device);
      to.u16(queue.nextAvailable).u16(queue.nextUsed);
    }
    to.u32(state.inFlight.length);
    for (const { queue, at, chain } of state.inFlight) {
      to.u32(queue).count(at).u16(chain.head);
      for (const buffers of [chain.readable, chain.writable]) {
        to.u32(buffers.length);
        for (const { address, length } of buffers) to.u64(address).u32(length);
      }
    }
    return to.bytes(this.#backend?.save() ?? new Uint8Array(0)).finish();
  }

  load(saved: Uint8Array): void {
    const from = new StateReader(saved, "virtio-mmio/1", this.name);
    const deviceId = from.u32();
    if (deviceId !== (this.#backend?.deviceId ?? 0)) {
      throw from.error(`the slot holds device ${this.#backend?.deviceId ?? 0}`, `the state is of device ${deviceId}`);
    }
    const state = this.#fresh();
    state.deviceFeaturesSel = from.u32();
    state.driverFeaturesSel = from.u32();
    state.driverFeatures = from.u64();
    state.acceptedUnknown = from.bool();
    state.queueSel = from.u32();
    state.status = from.u8();
    state.interruptStatus = from.upTo(INTERRUPT_USED | INTERRUPT_CONFIG, from.u8(), "the interrupt status");
    for (const [index, queue] of state.queues.entries()) {
      queue.size = from.u32();
      queue.ready = from.bool();
      queue.descriptors = from.u64();
      queue.driver = from.u64();
      queue.device = from.u64();
      queue.nextAvailable = from.u16();
      queue.nextUsed = from.u16();
      try {
        if (queue.ready) checkQueue(queue, this.#backend?.queueSizes[index] ?? 0);
      } catch (error) {
        if (!(error instanceof QueueError)) throw error;
        throw from.error("a queue in use must be a good one", error.message);
      }
    }
    const requests = from.upTo(
      state.queues.reduce((sum, { size }) => sum + size, 0),
      from.u32(),
      "requests in flight",
    );
    const inFlight: InFlight[] = [];
    for (let request = 0; request < requests; request++) {
      const queue = from.upTo(state.queues.length - 1, from.u32(), "a queue");
      const at = from.count();
      const head = from.u16();
      const buffers = (): Buffer[] =>
        Array.from({ length: from.upTo(QUEUE_LIMIT, from.u32(), "buffers") }, () => ({
          address: from.u64(),
          length: from.u32(),
        }));
      inFlight.push({ queue, at, chain: { head, readable: buffers(), writable: buffers() } });
    }
    state.inFlight = inFlight;
    const backend = from.bytes(0xffff_ffff);
    from.end();
    if (this.#backend !== undefined) this.#backend.load(backend);
    else from.upTo(0, backend.length, "an empty slot's state");
    this.#state = state;
    this.#update();
  }
}

function parts(chain: Chain): number {
  return chain.readable.length + chain.writable.length;
}
