/**
 * Reads the log of `qemu-system-riscv64 -d cpu,fpu`: a record a step, each the complete state before an instruction.
 *
 * All records have the same layout to the byte, so the first shows where each field is, and of the others only what changed is parsed. One
 * line may be missing: satp's, in supervisor mode under TVM, where QEMU's own look at it is refused. It then counts as 0.
 *
 * @module
 */
import { readSync } from "node:fs";
import { LOGGED } from "./image.ts";

/** A state in 32-bit words: pc, x0 to x31, f0 to f31, and the CSRs of {@link LOGGED}, each its low word first. */
export const STATE_WORDS = 2 * (1 + 32 + 32 + LOGGED.length);
/** Names of the fields of a state, in order. */
export const FIELDS: readonly string[] = [
  "pc",
  ...Array.from({ length: 32 }, (_, i) => `x${i}`),
  ...Array.from({ length: 32 }, (_, i) => `f${i}`),
  ...LOGGED.map(({ name }) => name),
];

/** The field whose line may be missing. */
export const SATP = FIELDS.indexOf("satp");

/** Where a field's 16 hexadecimal digits begin in a record, and which field it is. */
interface Column {
  readonly offset: number;
  readonly field: number;
}

/** Bytes of a CSR's line. */
const LINE = 27;

export class QemuLog {
  readonly #fd: number;
  #buffer = Buffer.alloc(1 << 20);
  #from = 0;
  #to = 0;
  #size = 0;
  #satpLine = 0;
  #columns: readonly Column[] = [];
  #previous = Buffer.alloc(0);
  /** The record that {@link next} read last. */
  readonly state = new Uint32Array(STATE_WORDS);
  records = 0;
  #changed = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** @returns Whether there is another record. One that repeats the last is none: QEMU stopped before it executed, and tried again. */
  next(): boolean {
    do {
      this.#changed = this.records === 0;
      if (!this.#read()) return false;
    } while (!this.#changed);
    return true;
  }

  #read(): boolean {
    if (this.#size === 0 && !this.#learn()) return false;
    while (this.#to - this.#from < this.#size) if (!this.#fill()) return this.#last();
    const missing = this.#buffer[this.#from + this.#satpLine + 1] !== 0x73; // "s"
    this.#parse(missing);
    this.#from += missing ? this.#size - LINE : this.#size;
    this.records++;
    return true;
  }

  /** The last record may be shorter than others are. */
  #last(): boolean {
    const left = this.#to - this.#from;
    if (left !== this.#size - LINE || this.#buffer[this.#from + this.#satpLine + 1] === 0x73) return false;
    this.#parse(true);
    this.#from = this.#to;
    this.records++;
    return true;
  }

  #parse(missing: boolean): void {
    const [buffer, previous] = [this.#buffer, this.#previous];
    for (const { offset, field } of this.#columns) {
      if (missing && field === SATP) {
        previous[offset] = 0;
        this.state[2 * field] = 0;
        this.state[2 * field + 1] = 0;
        continue;
      }
      const start = missing && offset > this.#satpLine ? this.#from - LINE : this.#from;
      let same = true;
      for (let i = offset + 15; i >= offset; i--) {
        if (buffer[start + i] === previous[i]) continue;
        same = false;
        break;
      }
      if (same) continue;
      this.#changed = true;
      this.state[2 * field] = parse(buffer, start + offset + 8);
      this.state[2 * field + 1] = parse(buffer, start + offset);
      buffer.copy(previous, offset, start + offset, start + offset + 16);
    }
  }

  #fill(): boolean {
    if (this.#from > 0) {
      this.#buffer.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
    }
    if (this.#to === this.#buffer.length)
      throw new RangeError("Cannot read QEMU's log as records must be short: one is over 1 MiB");
    const count = readSync(this.#fd, this.#buffer, this.#to, this.#buffer.length - this.#to, null);
    this.#to += count;
    return count > 0;
  }

  /** Learns the layout from the first record, which ends where the second begins. */
  #learn(): boolean {
    for (;;) {
      const text = this.#buffer.toString("latin1", 0, this.#to);
      const second = text.indexOf("\n pc ", 1) + 1;
      if (second > 0) {
        this.#size = second;
        const record = text.slice(0, second);
        const numbers = new Map(FIELDS.map((name, field) => [name, field]));
        const columns: Column[] = [];
        for (const match of record.matchAll(/([a-z0-9]+)(?:\/[a-z0-9]+)? +([0-9a-f]{16})/g)) {
          const field = numbers.get(match[1]!);
          if (field !== undefined) columns.push({ offset: match.index + match[0].length - 16, field });
        }
        if (columns.length !== FIELDS.length) {
          throw new RangeError(
            `Cannot read QEMU's log as a record must have ${FIELDS.length} known fields: it has ${columns.length}`,
          );
        }
        this.#columns = columns;
        this.#satpLine = record.indexOf("\n satp ") + 1;
        this.#previous = Buffer.alloc(second);
        return true;
      }
      if (!this.#fill()) return false;
    }
  }
}

const DIGIT = new Uint8Array(256);
for (let value = 0; value < 16; value++) DIGIT[value.toString(16).charCodeAt(0)] = value;

/** Eight hexadecimal digits. */
function parse(buffer: Buffer, at: number): number {
  let value = 0;
  for (let i = at; i < at + 8; i++) value = (value << 4) | DIGIT[buffer[i]!]!;
  return value >>> 0;
}
