/**
 * Options that several verbs share: how their values are read, and refused.
 *
 * @module
 */

import { type Command, InvalidArgumentError, Option } from "commander";
import { DISK_DEVICES, type DiskDevice } from "../../engine/mod.ts";

/** What `--unsound` does, for a verb that runs one technique. */
export const UNSOUND = "run it even where the profile lacks what it requires, to watch it fail";

/** A whole number of at least `least`; underscores may group its digits. */
export function wholeNumber(least = 1): (text: string) => number {
  return (text) => {
    const value = /^\d[\d_]*$/.test(text) ? Number(text.replaceAll("_", "")) : Number.NaN;
    if (!Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`it must be a whole number from ${least} to ${Number.MAX_SAFE_INTEGER}`);
    }
    return value;
  };
}

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };
const PAGE = 4096;

/** A size of RAM in bytes: `128M`, `1G`, `33554432`. */
export function memorySize(text: string): number {
  const [, digits = "", unit = ""] = /^(\d+)([KMG]?)i?B?$/i.exec(text) ?? [];
  const bytes = digits === "" ? Number.NaN : Number(digits) * UNITS[unit.toUpperCase()]!;
  if (!Number.isSafeInteger(bytes) || bytes < 1024 ** 2 || bytes > 2 * 1024 ** 3 || bytes % PAGE !== 0) {
    throw new InvalidArgumentError("it must be from 1M to 2G, in whole pages of 4096 bytes, such as 128M");
  }
  return bytes;
}

/** What may be said of the guest and its machine, as commander hands it over. */
export interface GuestOptions {
  readonly guest?: string;
  readonly run?: string;
  readonly kernel?: string;
  readonly firmware?: string;
  readonly initrd?: string;
  readonly dtb?: string;
  readonly disk?: string;
  readonly diskDevice?: DiskDevice;
  readonly append?: string;
  readonly memory?: number;
  readonly machineMode?: boolean;
  readonly markConsole?: Readonly<Record<string, string>>;
  readonly markAt?: Readonly<Record<string, string>>;
}

/** What may be said of a recording. */
export interface RecordingOptions {
  readonly rtc?: number;
  readonly checkpointEvery?: number;
  readonly maxInstructions?: number;
  readonly profile?: string;
}

/** Marks that are added to a guest's own, by name. @param form What a setting must look like, with an example. */
function addedMark(form: string) {
  return (setting: string, all: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> => {
    const [, name = "", where = ""] = /^([a-z][a-z0-9-]*)=(.+)$/s.exec(setting) ?? [];
    if (name === "" || Object.hasOwn(all, name)) throw new InvalidArgumentError(`it must be ${form}`);
    return { ...all, [name]: where };
  };
}

export function addGuestOptions(command: Command): Command {
  return command
    .option(
      "--guest <NAME>",
      "a guest by name: hutch, hutch-pre, a program of hutch, u-boot, opensbi, debian, linux-mini",
    )
    .option("--run <COMMAND>", 'what hutch runs, such as "null-syscall 1000"')
    .option("--kernel <FILE>", "a guest of your own: an ELF64, a RISC-V Image or a raw file")
    .option("--firmware <FILE>", "firmware that starts before the kernel, in machine mode; techniques native and full")
    .option("--initrd <FILE>", "an initial RAM disk")
    .option("--dtb <FILE>", "a device tree in place of the board's own")
    .option("--disk <FILE>", "an image for the block device; the file itself is never written")
    .addOption(
      new Option("--disk-device <KIND>", "what the disk is; virtio where it is left out").choices(DISK_DEVICES),
    )
    .option("--append <TEXT>", "the kernel's command line")
    .addOption(new Option("--memory <SIZE>", "guest RAM, such as 128M").argParser(memorySize))
    .option("--machine-mode", "start the kernel in machine mode, without SBI; techniques native and full")
    .addOption(
      new Option(
        "--mark-console <NAME=TEXT>",
        "a lap of this name wherever the console shows the text; may be repeated",
      ).argParser(addedMark("NAME=TEXT, each name once, such as prompt==>")),
    )
    .addOption(
      new Option(
        "--mark-at <NAME=PLACE>",
        "a lap of this name wherever the guest comes to a symbol of its kernel, or to 0xADDRESS; may be repeated",
      ).argParser(addedMark("NAME=SYMBOL or NAME=0xADDRESS, each name once, such as trap=trap_entry")),
    );
}

/** Adds `--pass-through`, for a verb that runs techniques. */
export function addPassThrough(command: Command): Command {
  return command.addOption(
    new Option(
      "--pass-through <DEVICES>",
      "devices that the guest has to itself, so that their registers need no exit: disk, or names such as virtio0",
    ).argParser((text: string) => {
      const names = text.split(",").map((name) => name.trim());
      if (names.includes(""))
        throw new InvalidArgumentError("it must be names divided by commas, such as disk or virtio0,plic");
      return names;
    }),
  );
}

export function addRecordingOptions(command: Command): Command {
  return command
    .option("--profile <NAME>", "the machine profile; the experiment's, or strict, where it is left out")
    .addOption(new Option("--rtc <UNIX_SECONDS>", "what the clock says at the start").argParser(wholeNumber(0)))
    .addOption(new Option("--checkpoint-every <N>", "steps between checkpoints").argParser(wholeNumber(1000)))
    .addOption(new Option("--max-instructions <N>", "the step budget; the run ends there").argParser(wholeNumber(1)));
}

/**
 * Reads `--set cost.PRICE=CYCLES` settings.
 *
 * @returns Cycles by price id.
 * @throws {RangeError} If one is not of that form, or names a price twice.
 */
export function parseSettings(settings: readonly string[]): Readonly<Record<string, number>> {
  const prices: Record<string, number> = {};
  for (const setting of settings) {
    const [, id = "", digits = ""] = /^cost\.([\w.-]+)=(\d+(?:\.\d+)?)$/.exec(setting) ?? [];
    if (id === "")
      throw new RangeError(
        `Cannot set a price as that reads cost.PRICE=CYCLES, such as cost.trap.entry=800: it is ${JSON.stringify(setting)}`,
      );
    if (Object.hasOwn(prices, id))
      throw new RangeError(`Cannot set cost.${id} as a price is set once: it is set twice`);
    prices[id] = Number(digits);
  }
  return prices;
}
