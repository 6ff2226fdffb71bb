#!/bin/bash
# Boots every workload of prebuilt/hutch.elf (or of the ELF named as the first argument) in qemu-system-riscv64 and
# compares the console with what it must say. Where the cross compiler is, also builds twice, in two folders, and
# compares the bytes with each other and with the prebuilt image. Exit code 0 if all is equal.
set -u
cd "$(dirname "$0")" || exit 2
image=$(realpath "${1:-prebuilt/hutch.elf}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

# boot COMMAND [QEMU OPTION...]: prints what hutch printed, without the firmware's banner.
boot() {
  local command=$1
  shift
  timeout -s KILL 120 qemu-system-riscv64 -M virt -m 128M -nographic -icount shift=0,sleep=off \
    -kernel "$image" -append "$command" "$@" </dev/null 2>&1 | sed '1,/^Boot HART MEDELEG/d' | tr -d '\r'
}

# expect NAME TEXT FOUND
expect() {
  if [ "$2" = "$3" ]; then
    echo "ok    $1"
  else
    echo "FAIL  $1"
    diff <(echo "$2") <(echo "$3")
    failures=$((failures + 1))
  fi
}

# says COMMAND TEXT [QEMU OPTION...]
says() {
  local command=$1 text=$2
  shift 2
  expect "${command:0:40}" "$text" "$(boot "$command" "$@")"
}

disk() {
  echo -global virtio-mmio.force-legacy=false -drive "file=$1,if=none,format=raw,cache=unsafe,id=disk" \
    -device virtio-blk-device,drive=disk
}

# sh_session: types at the prompt and prints the console.
sh_session() {
  mkfifo "$scratch/keys"
  timeout -s KILL 60 qemu-system-riscv64 -M virt -m 128M -nographic -kernel "$image" \
    <"$scratch/keys" >"$scratch/console" 2>&1 &
  exec 9>"$scratch/keys"
  local prompts=0 line
  while IFS= read -r line; do
    prompts=$((prompts + 1))
    for _ in $(seq 300); do
      [ "$(grep -c -o -a 'hutch\$ ' "$scratch/console")" -ge "$prompts" ] && break
      sleep 0.1
    done
    printf '%b\n' "$line" >&9
  done
  exec 9>&-
  wait
  sed '1,/^Boot HART MEDELEG/d' "$scratch/console" | tr -d '\r'
}

says "null-syscall 1000" "null-syscall: 1000 calls"
says "context-switch 1001" "context-switch: 1001 switches"
says "page-fault 40000" "page-fault: 40000 pages, 40000 of them fresh"
says "fork-exec 300" "fork-exec: 300 processes, 300 ended well"
says "pipe 1000" "pipe: 1000 messages, all read"
says "irq-toggle 1000000" "irq-toggle: 1000000 times"
says "timer-tick 50" "timer-tick: 50 ticks"
says "compute 1000" "compute: 1000 rounds, 883a748d9225d255 40c343eb3642c2db"
says "signal 1000" "signal: 1000 sent, 1000 handled"
says " true ;; echo  one two; " "one two"
says "nothing; echo on" "$(printf 'sh: nothing: not found\non\nhutch: exit status 127')"
says "null-syscall" "$(printf 'usage: null-syscall N\nhutch: exit status 2')"
says "disk-read 1" "$(printf 'disk-read: no disk: error 19\nhutch: exit status 1')"
says "echo $(printf '%0300d' 0)" "hutch: panic: bootargs has 306 bytes, more than 256"

groups=$(printf 'PASS %s\n' processes exec pipes memory faults signals "floating point")
ending=$(printf 'PASS console\nselftest: all passed')
says "selftest" "$(printf '%s\nPASS no disk\n%s' "$groups" "$ending")"
# A disk of zeros is formatted, and found formatted by the second run and the second boot.
truncate -s 1M "$scratch/empty"
tested=$(printf '%s\nPASS disk\n%s' "$groups" "$ending")
says "selftest; selftest" "$(printf '%s\n%s' "$tested" "$tested")" $(disk "$scratch/empty")
says "selftest" "$tested" $(disk "$scratch/empty")
says "module 20" "module: 20 calls, 20 right, 20 after it was replaced" $(disk "$scratch/empty")
yes "a disk for hutch" | head -c 65536 >"$scratch/text"
says "disk-read 100" "disk-read: 100 blocks, checksum 41833f8312727c21" $(disk "$scratch/text")

expect "sh" "$(printf '%s\n' 'hutch$ echo hello' hello 'hutch$ tx'$'\b \b''rue; compute 1' \
  'compute: 1 rounds, 3f2ce4f192f20a5b 40f0350631b8ab20' 'hutch$ nothing' 'sh: nothing: not found' 'hutch$ exit')" \
  "$(printf '%s\n' 'echo hello' 'tx\brue; compute 1' nothing exit | sh_session)"

# The port to the VMM says that there is none. It is another image, so it is looked at only with the usual one.
if [ "$(basename "$image")" = hutch.elf ]; then
  image=$(realpath prebuilt/hutch-para.elf) says "echo no VMM" \
    "hutch-para: cannot run without Trapline's VMM, as the SBI has no hypercalls: boot hutch.elf, or use --technique para"
fi

if command -v riscv64-unknown-elf-gcc >/dev/null; then
  for folder in one two/deeper; do
    mkdir -p "$scratch/$folder"
    cp -r Makefile abi.h kernel.ld kernel module user "$scratch/$folder"
    make -s -C "$scratch/$folder" || { echo "FAIL  build in $folder"; failures=$((failures + 1)); }
  done
  # What was not built is equal to nothing.
  if [ -s "$scratch/one/build/hutch.elf" ] && [ -s "$scratch/two/deeper/build/hutch.elf" ]; then
    expect "build in two folders" "$(sha256sum <"$scratch/one/build/hutch.elf")" \
      "$(sha256sum <"$scratch/two/deeper/build/hutch.elf")"
    # Another port needs more to be built; .ci/run compares it.
    [ "$(basename "$image")" != hutch.elf ] || expect "prebuilt" "$(sha256sum <"$scratch/one/build/hutch.elf")" "$(sha256sum <"$image")"
  fi
fi
exit $((failures > 0))
