/**
 * The digest of everything that a guest can see (T18), and nothing else: no shadow table, TLB, decoded slot or stub is in it.
 *
 * RAM enters by a hash of each page, taken again only where the page was written since.
 *
 * @module
 */
import * as at from "../hart/layout.ts";
import { PAGE_BYTES } from "../hart/memory.ts";
import type { Execution } from "./execution.ts";
import type { Platform } from "./platform.ts";

/** 128 bits as two halves. */
export interface Digest {
  readonly low: bigint;
  readonly high: bigint;
}

export class Digester {
  readonly #platform: Platform;
  readonly #hashes: BigUint64Array<ArrayBuffer>;

  constructor(platform: Platform) {
    this.#platform = platform;
    this.#hashes = new BigUint64Array(platform.memory.guestBytes / PAGE_BYTES);
    // RAM is zero until something is put there, and what is put there is dirty.
    this.#hashes.fill(this.#emptyPage());
  }

  /**
   * Frames that are not all zero, in order; only pages written since they were last looked at are looked at again.
   */
  usedFrames(): number[] {
    this.#hashPages();
    const empty = this.#emptyPage();
    const frames: number[] = [];
    for (let frame = 0; frame < this.#hashes.length; frame++) if (this.#hashes[frame] !== empty) frames.push(frame);
    return frames;
  }

  #emptyPage(): bigint {
    const { memory, hart } = this.#platform;
    memory.u8.fill(0, at.DIGEST_WINDOW, at.DIGEST_WINDOW + PAGE_BYTES);
    return hart.hash(at.DIGEST_WINDOW, PAGE_BYTES, 0);
  }

  #hashPages(): void {
    const { memory, hart } = this.#platform;
    hart.watchWrites();
    for (let frame = 0; frame < this.#hashes.length; frame++) {
      if (memory.dirty[frame] === 0) continue;
      memory.dirty[frame] = 0;
      this.#hashes[frame] = hart.hash(at.RAM + frame * PAGE_BYTES, PAGE_BYTES, 0);
    }
  }

  /** Digests the guest's state as it is now. */
  digest(execution: Execution): Digest {
    const { hart, guest, memory, position, bus, schedule } = this.#platform;
    this.#hashPages();
    const parts: Uint8Array[] = [];
    const bytes = (view: ArrayBufferView) => parts.push(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    bytes(hart.x);
    bytes(hart.f);
    bytes(BigUint64Array.of(hart.pc));
    bytes(guest.save());
    bytes(Uint32Array.of(memory.u32[at.FFLAGS >>> 2]!, memory.u32[at.FRM >>> 2]!));
    bytes(Float64Array.of(this.#platform.reservation, position.step, position.instret, position.time));
    bytes(execution.translations.entries());
    for (const device of bus.devices) parts.push(device.save());
    bytes(schedule.save());
    for (const { time, bytes: input } of this.#platform.inputs) {
      bytes(Float64Array.of(time));
      parts.push(input);
    }
    parts.push(this.#platform.output);
    bytes(this.#hashes);
    return this.#hash(parts);
  }

  /** Each part is preceded by its length, so that no two lists of parts read alike. */
  #hash(parts: readonly Uint8Array[]): Digest {
    const { memory, hart } = this.#platform;
    // Part by part through a window behind the TLBs, chained by the seeds' place in the next part's head.
    let low = 0x7472_6170n;
    let high = 0x6c69_6e65n;
    const window = at.DIGEST_WINDOW;
    const room = at.DIGEST_WINDOW_BYTES - 32;
    for (const part of parts) {
      for (let start = 0; start === 0 || start < part.length; start += room) {
        const piece = part.subarray(start, start + room);
        const length = 32 + ((piece.length + 31) & ~31);
        memory.u8.fill(0, window, window + length);
        memory.u64[window >>> 3] = low;
        memory.u64[(window >>> 3) + 1] = high;
        memory.u64[(window >>> 3) + 2] = BigInt(part.length);
        memory.u64[(window >>> 3) + 3] = BigInt(start);
        memory.u8.set(piece, window + 32);
        low = hart.hash(window, length, 1);
        high = hart.hash(window, length, 2);
      }
    }
    return { low, high };
  }
}
