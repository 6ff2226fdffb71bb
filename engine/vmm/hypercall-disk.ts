/**
 * The disk of a ported guest: requests in batches by hypercall, each carried out in guest time, and an event when one has completed.
 *
 * A request is 5 doublewords of guest memory: kind (0 read, 1 write, 2 flush), first sector, guest-physical address, count of sectors, status. It
 * is read once, when it is submitted; what it names is checked then, and again for page tables at its completion, which may have become such since.
 * It completes after a disk's latency (T8), touches memory only then, and leaves its status: 0, or one of the errors of hypercalls. Then the
 * supervisor software interrupt is pending, and is so no longer once the kernel has taken it. So no completion goes unheard: a status is there
 * before its interrupt is.
 *
 * Left out: cancelling a request; more than one disk.
 *
 * @module
 */
import { diskLatency } from "../devices/disk.ts";
import { PAGE_BYTES } from "../hart/memory.ts";
import { BusError, type Clock, type DeviceMemory } from "../machine/device.ts";
import type { Platform } from "../machine/platform.ts";
import type { DeviceOwners } from "./device-owners.ts";
import type { GuardedTables } from "./guarded-tables.ts";
import {
  type Answer,
  answer,
  DENIED,
  INVALID_ADDRESS,
  INVALID_PARAM,
  NOT_SUPPORTED,
  SUCCESS,
} from "./hypercall-answer.ts";

/** Requests in flight at most, and in one call. */
export const MOST_REQUESTS = 64;
/** Bytes of a request in guest memory. */
export const REQUEST_BYTES = 40;

const WORDS = REQUEST_BYTES / 8;
const STATUS_AT = 32;
const SECTOR_BYTES = 512;
/** Sectors of one request at most: 1 MiB. */
const MOST_SECTORS = 2048n;
/** The supervisor software interrupt. */
const SSI = 1;

const KINDS = ["read", "write", "flush"] as const;

interface Request {
  readonly kind: (typeof KINDS)[number];
  /** Bytes on the disk, and in memory. */
  readonly offset: number;
  readonly address: number;
  readonly length: number;
  /** Where its status goes. */
  readonly status: number;
  /** Guest time of its completion. */
  readonly at: number;
}

export interface HypercallDiskParts {
  readonly platform: Platform;
  readonly owners: DeviceOwners;
  readonly tables: GuardedTables;
}

/** What the owner of a disk is called that requests go to. */
export const RING = "the VMM's disk requests";

export class HypercallDisk {
  readonly #platform: Platform;
  readonly #owners: DeviceOwners;
  readonly #tables: GuardedTables;
  readonly #clock: Clock;
  readonly #memory: DeviceMemory;
  #attached = false;
  /** In order of submission. */
  #requests: readonly Request[] = [];

  constructor({ platform, owners, tables }: HypercallDiskParts) {
    this.#platform = platform;
    this.#owners = owners;
    this.#tables = tables;
    this.#clock = platform.schedule.ownClock(() => this.#due());
    this.#memory = platform.deviceMemory("hypercall-disk");
  }

  /** Makes the disk the kernel's to submit to. A disk whose registers the guest has is that guest's already. */
  attach(): Answer {
    const { disk } = this.#platform;
    if (disk === undefined) return answer(NOT_SUPPORTED);
    if (!this.#attached) {
      if (this.#owners.ownerOf(disk.device) !== undefined) return answer(DENIED);
      this.#owners.claim(disk.device, RING);
      this.#attached = true;
    }
    return answer(SUCCESS, BigInt(disk.contents.size / SECTOR_BYTES));
  }

  /**
   * Begins requests, in order, up to the first that is refused.
   *
   * @param physical Where they lie. @param words They, as they were read.
   */
  submit(physical: number, words: BigUint64Array): Answer {
    if (!this.#attached) return answer(DENIED);
    const count = words.length / WORDS;
    const requests = [...this.#requests];
    const now = this.#clock.now();
    let error = SUCCESS;
    let begun = 0;
    for (; begun < count; begun++) {
      const made = requests.length < MOST_REQUESTS ? this.#checked(words.subarray(WORDS * begun)) : DENIED;
      if (typeof made === "bigint") {
        error = made;
        break;
      }
      const at = now + diskLatency(made.length);
      requests.push({ ...made, status: physical + REQUEST_BYTES * begun + STATUS_AT, at });
    }
    this.#requests = requests;
    this.#schedule();
    return answer(error, BigInt(begun));
  }

  /** A request as it may begin, or the error that it may not for. */
  #checked(words: BigUint64Array): Omit<Request, "status" | "at"> | bigint {
    const [code, sector, address, sectors] = [words[0]!, words[1]!, words[2]!, words[3]!];
    const kind = code < BigInt(KINDS.length) ? KINDS[Number(code)] : undefined;
    if (kind === undefined) return INVALID_PARAM;
    if (kind === "flush") return { kind, offset: 0, address: 0, length: 0 };
    const onDisk = BigInt(this.#platform.disk!.contents.size / SECTOR_BYTES);
    if (sectors === 0n || sectors > MOST_SECTORS || sector > onDisk || sector + sectors > onDisk) return INVALID_PARAM;
    const length = Number(sectors) * SECTOR_BYTES;
    const there =
      address < 2n ** 53n && address % 8n === 0n && this.#platform.memory.guestHolds(Number(address), length);
    if (!there) return INVALID_ADDRESS;
    const request = { kind, offset: Number(sector) * SECTOR_BYTES, address: Number(address), length };
    return kind === "read" && this.#guarded(request.address, length) ? DENIED : request;
  }
  /** Whether any of a range is a page table, which the kernel changes by `update` only. */
  #guarded(address: number, length: number): boolean {
    const last = Math.floor((address + length - 1) / PAGE_BYTES);
    for (let frame = Math.floor(address / PAGE_BYTES); frame <= last; frame++) if (this.#tables.has(frame)) return true;
    return false;
  }

  #due(): void {
    const now = this.#clock.now();
    // By time, and those of one time in the order of their submission; sorting is stable.
    const completed = this.#requests.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
    this.#requests = this.#requests.filter(({ at }) => at > now);
    for (const request of completed) this.#complete(request);
    if (completed.length > 0) this.#platform.guest.raise(SSI);
    this.#schedule();
  }
  #complete(request: Request): void {
    const status = BigInt.asUintN(64, this.#carryOut(request));
    // A table that lies there now changes only through `update`: its kernel has lost the status.
    if (this.#guarded(request.status, 8)) return;
    this.#memory.write(BigInt(request.status), new Uint8Array(BigUint64Array.of(status).buffer));
  }
  #carryOut({ kind, offset, address, length }: Request): bigint {
    const { contents } = this.#platform.disk!;
    try {
      if (kind === "write") contents.write(offset, this.#memory.read(BigInt(address), length));
      else if (kind === "read") {
        if (this.#guarded(address, length)) return DENIED;
        this.#memory.write(BigInt(address), contents.read(offset, length));
      }
      return SUCCESS; // What completed is on the disk already, so that a flush has nothing to do.
    } catch (error) {
      if (error instanceof BusError) return INVALID_ADDRESS;
      throw error;
    }
  }

  #schedule(): void {
    const next = this.#requests.reduce((earliest, { at }) => Math.min(earliest, at), Number.POSITIVE_INFINITY);
    this.#clock.schedule(Number.isFinite(next) ? next : null);
  }

  /** Forgets the requests, and gives the disk back. */
  reset(): void {
    const { disk } = this.#platform;
    if (this.#attached && disk !== undefined) this.#owners.release(disk.device);
    this.#attached = false;
    this.#requests = [];
    this.#schedule();
  }

  /** Whether the kernel has attached, and 6 words for each request. */
  save(): bigint[] {
    const requests = this.#requests.flatMap(({ kind, offset, address, length, status, at }) => [
      BigInt(KINDS.indexOf(kind)),
      ...[offset, address, length, status, at].map(BigInt),
    ]);
    return [this.#attached ? 1n : 0n, ...requests];
  }
  /** @throws {RangeError} If the words are not what {@link save} gave on a machine like this; nothing has changed then. */
  load(words: readonly bigint[]): void {
    const { disk, memory } = this.#platform;
    const requests: Request[] = [];
    const count = (words.length - 1) / 6;
    for (let i = 0; i < count; i++) {
      const [kind, offset, address, length, status, at] = words.slice(1 + 6 * i, 7 + 6 * i).map(Number);
      const name = KINDS[kind!];
      if (name === undefined || at === undefined) break;
      requests.push({ kind: name, offset: offset!, address: address!, length: length!, status: status!, at });
    }
    const good = requests.every(
      ({ kind, offset, address, length, status, at }) =>
        memory.guestHolds(status, 8) &&
        Number.isSafeInteger(at) &&
        (kind === "flush" || (memory.guestHolds(address, length) && offset + length <= (disk?.contents.size ?? 0))),
    );
    const attached = words[0] === 1n;
    if (
      words[0] === undefined ||
      words[0] > 1n ||
      requests.length !== count ||
      count > MOST_REQUESTS ||
      !good ||
      (attached && disk === undefined)
    )
      throw new RangeError(
        `Cannot load disk requests as each must be on the disk and in RAM: ${words.length} words are not`,
      );
    this.reset();
    if (attached) {
      this.#owners.claim(disk!.device, RING);
      this.#attached = true;
    }
    this.#requests = requests;
    this.#schedule();
  }
}
