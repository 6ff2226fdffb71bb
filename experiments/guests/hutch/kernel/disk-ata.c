/*
 * ATA disk behind a task file that the device tree names: one command at a time, a sector for each interrupt, by programmed input and output.
 * Left out: addresses of more than 28 bits, cylinder, head and sector addresses, DMA, device 1, recovery by reset.
 * Source: ATA/ATAPI-4, T13/1153D revision 18, chapters 7 (registers) and 9 (protocols); Linux, ata-generic.yaml.
 */
#include "device.h"
#include "disk.h"

#define DATA 0
#define SECTOR_COUNT 2
#define LBA_LOW 3
#define LBA_MID 4
#define LBA_HIGH 5
#define DEVICE 6
#define STATUS 7
#define COMMAND 7

#define STATUS_BSY 0x80
#define STATUS_DRQ 0x08
#define STATUS_ERR 0x01
#define DEVICE_LBA 0x40
#define CONTROL_NIEN 0x02

#define READ_SECTORS 0x20
#define WRITE_SECTORS 0x30
#define IDENTIFY_DEVICE 0xec

#define SECTOR_WORDS 256
#define CAPACITY_WORD 60

static u8 status; /* as the last interrupt found it */
static bool interrupted;
static struct wait_queue waiter;

static u64 address(u32 index) { return boot_info.ata.command + ((u64)index << boot_info.ata.shift); }
static void put(u32 index, u8 value) { mmio_write8(address(index), value); }

/* Without Status, whose reading takes the interrupt away. */
static u8 wait_ready(void) {
  u8 now;
  do now = mmio_read8(boot_info.ata.control);
  while (now & STATUS_BSY);
  return now;
}

static void read_sector(u16 *to) {
  for (u32 i = 0; i < SECTOR_WORDS; i++) to[i] = mmio_read16(address(DATA));
}
static void write_sector(const u16 *from) {
  for (u32 i = 0; i < SECTOR_WORDS; i++) mmio_write16(address(DATA), from[i]);
}

static u64 start(void) {
  if (!boot_info.ata.command) return 0;
  u16 *identity = frame_alloc();
  mmio_write8(boot_info.ata.control, CONTROL_NIEN);
  wait_ready();
  put(DEVICE, DEVICE_LBA);
  put(COMMAND, IDENTIFY_DEVICE);
  if ((wait_ready() & (STATUS_DRQ | STATUS_ERR)) != STATUS_DRQ) panic("the disk at %lx does not start", address(0));
  read_sector(identity);
  u64 sectors = (u64)identity[CAPACITY_WORD + 1] << 16 | identity[CAPACITY_WORD];
  frame_drop(direct_to_physical(identity));
  mmio_read8(address(STATUS));
  mmio_write8(boot_info.ata.control, 0);
  plic_enable(boot_info.ata.irq);
  return sectors / SECTORS_IN_BLOCK;
}

static void interrupt(u32 irq) {
  if (irq != boot_info.ata.irq) return;
  status = mmio_read8(address(STATUS));
  interrupted = true;
  wake_all(&waiter);
}

/* Interrupts are closed but for the sleep: none is lost between the last access to the data and the wait. */
static bool next_interrupt(void) {
  while (!interrupted) sleep_on(&waiter);
  interrupted = false;
  return !(status & STATUS_ERR);
}

static i64 transfer(u64 block, void *page, bool write) {
  u64 sector = block * SECTORS_IN_BLOCK;
  put(SECTOR_COUNT, SECTORS_IN_BLOCK);
  put(LBA_LOW, (u8)sector);
  put(LBA_MID, (u8)(sector >> 8));
  put(LBA_HIGH, (u8)(sector >> 16));
  put(DEVICE, (u8)(DEVICE_LBA | (sector >> 24 & 0xf)));
  interrupted = false;
  put(COMMAND, write ? WRITE_SECTORS : READ_SECTORS);
  if (write && !(wait_ready() & STATUS_DRQ)) return -EIO;
  for (u32 i = 0; i < SECTORS_IN_BLOCK; i++) {
    u16 *words = (u16 *)page + i * SECTOR_WORDS;
    if (write) write_sector(words);
    if (!next_interrupt()) return -EIO;
    if (!write) read_sector(words);
  }
  return 0;
}

const struct disk_driver ata_disk = {start, interrupt, transfer};
