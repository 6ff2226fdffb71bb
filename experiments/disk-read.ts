/**
 * What does a block from the disk cost when the disk is emulated, para-virtual, or passed through?
 *
 * hutch reads blocks of 4 KiB from an ATA disk, whose every register is reached by the driver itself, and from a virtio disk, which takes requests
 * from memory. Each is recorded bare; full virtualization then emulates the device, or leaves it to the guest, and the run must be the same exactly.
 * The port asks the VMM by hypercalls, whatever the disk is: its users must observe the same.
 */
import { hutch } from "trapline/guests";
import { experiment, full, inOrder, native, para } from "trapline/harness";
import { devicePaths, exitsByReason, slowdown } from "trapline/reports";

const reading = hutch.running("disk-read 32");
const PAGE = 4096;

export default experiment({
  question: "What does a block from the disk cost when the disk is emulated, para-virtual, or passed through?",
  guest: { ...reading, name: "ata", diskDevice: "ata" },
  techniques: [native, full],
  also: [
    { guest: { ...reading, name: "ata-passed-through", diskDevice: "ata" }, passThrough: ["disk"] },
    { guest: { ...reading, name: "virtio" }, techniques: [native, full, para] },
    { guest: { ...reading, name: "virtio-passed-through" }, passThrough: ["disk"] },
  ],
  costs: [inOrder],
  measure: "disk",
  reports: [devicePaths({ bytes: PAGE }), slowdown({ baseline: native }), exitsByReason()],
});
