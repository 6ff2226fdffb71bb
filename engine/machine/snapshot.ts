/**
 * Snapshots: the guest's whole state as bytes. Saving, loading and saving again gives the same bytes.
 *
 * The form is private to one engine version; traces do not hold snapshots.
 *
 * @module
 */
import * as at from "../hart/layout.ts";
import { PAGE_BYTES, RAM_BASE } from "../hart/memory.ts";
import type { Execution } from "./execution.ts";
import type { End, Platform } from "./platform.ts";

const MAGIC = 0x5452_5331; // "TRS1"

class Writer {
  readonly #parts: Uint8Array[] = [];
  bytes(value: Uint8Array): void {
    this.#parts.push(new Uint8Array(Float64Array.of(value.length).buffer), value.slice());
  }
  view(value: ArrayBufferView): void {
    this.bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  }
  finish(): Uint8Array {
    const out = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }
}

class Reader {
  #at = 0;
  readonly #state: Uint8Array;
  constructor(state: Uint8Array) {
    this.#state = state;
  }
  bytes(): Uint8Array<ArrayBuffer> {
    const head = this.#state.slice(this.#at, this.#at + 8);
    const length = head.length === 8 ? new Float64Array(head.buffer)[0]! : -1;
    if (!Number.isInteger(length) || length < 0 || this.#at + 8 + length > this.#state.length) {
      throw new RangeError(`Cannot load a snapshot as it must be whole: it is cut at byte ${this.#at}`);
    }
    const value = this.#state.slice(this.#at + 8, this.#at + 8 + length);
    this.#at += 8 + length;
    return value;
  }
}

/** @param frames Those that are not all zero. @returns The state; the harness keeps it as it is. */
export function saveMachine(platform: Platform, execution: Execution, frames: readonly number[]): Uint8Array {
  const { memory, hart, guest, position, schedule, bus } = platform;
  const out = new Writer();
  const withheld = guest.interrupt() >= 0 && !execution.interruptible ? 1 : 0;
  out.view(Uint32Array.of(MAGIC, memory.guestBytes / PAGE_BYTES, withheld));
  out.view(Float64Array.of(position.step, position.instret, position.idle));
  out.view(guest.save());
  out.view(hart.x);
  out.view(hart.f);
  out.view(BigUint64Array.of(hart.pc));
  out.view(Uint32Array.of(memory.u32[at.FFLAGS >>> 2]!, memory.u32[at.FRM >>> 2]!));
  out.view(Float64Array.of(platform.reservation));
  out.view(execution.translations.entries());
  for (const device of bus.devices) out.bytes(device.save());
  out.view(schedule.save());
  out.view(Float64Array.of(platform.inputs.length));
  for (const { time, bytes } of platform.inputs) {
    out.view(Float64Array.of(time));
    out.bytes(bytes);
  }
  out.bytes(platform.output);
  out.view(Uint16Array.from(JSON.stringify(platform.end ?? null), (character) => character.charCodeAt(0)));
  out.bytes(execution.kept?.save() ?? new Uint8Array(0));
  // Only pages that are not all zero, each with its number.
  out.view(Uint32Array.from(frames));
  for (const frame of frames) out.bytes(memory.view(RAM_BASE + frame * PAGE_BYTES, PAGE_BYTES));
  return out.finish();
}

/** @throws {RangeError} If the state is broken, or that of another kind of machine. */
export function restoreMachine(state: Uint8Array, platform: Platform, execution: Execution): void {
  const { memory, hart, guest, position, schedule, bus } = platform;
  const reader = new Reader(state);
  const doubles = (): Float64Array => new Float64Array(reader.bytes().buffer);
  const words = (): Uint32Array => new Uint32Array(reader.bytes().buffer);
  const [magic, frameCount, withheld] = words();
  if (magic !== MAGIC || frameCount !== memory.guestBytes / PAGE_BYTES) {
    throw new RangeError(
      `Cannot load a snapshot as it must be of a machine with ${memory.guestBytes} bytes of memory: it is not`,
    );
  }
  const [step, instret, idle] = doubles();
  position.step = step!;
  position.instret = instret!;
  position.idle = idle!;
  memory.u32[at.FLOAT_DIRTY >>> 2] = 0;
  guest.load(words());
  hart.x.set(new BigUint64Array(reader.bytes().buffer));
  hart.f.set(new BigUint64Array(reader.bytes().buffer));
  hart.pc = new BigUint64Array(reader.bytes().buffer)[0]!;
  const [fflags, frm] = words();
  memory.u32[at.FFLAGS >>> 2] = fflags!;
  memory.u32[at.FRM >>> 2] = frm!;
  const reservation = doubles()[0]!;
  memory.u32[at.RESERVATION >>> 2] = reservation < 0 ? 0 : memory.linear(reservation);
  execution.translations.restore(doubles());
  for (const device of bus.devices) device.load(reader.bytes());
  schedule.load(doubles());
  platform.inputs = Array.from({ length: doubles()[0]! }, () => ({ time: doubles()[0]!, bytes: reader.bytes() }));
  platform.restoreOutput(reader.bytes());
  const end = JSON.parse(String.fromCharCode(...new Uint16Array(reader.bytes().buffer))) as End | null;
  const kept = reader.bytes();
  memory.u8.fill(0, at.RAM, at.RAM + memory.guestBytes);
  for (const frame of words()) memory.u8.set(reader.bytes(), at.RAM + frame * PAGE_BYTES);
  memory.dirty.fill(1);
  platform.end = end ?? undefined;
  hart.decoded.clear();
  hart.forget();
  execution.reset();
  if (kept.length > 0) execution.kept?.load(kept);
  if (withheld === 1) execution.withhold?.();
}
