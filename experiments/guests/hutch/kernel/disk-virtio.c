/*
 * virtio-blk on virtio-mmio version 2: one queue, one request at a time, completion by interrupt.
 * Left out: version 1 (legacy) devices, every optional feature, flush.
 * Source: Virtual I/O Device (VIRTIO) 1.1, sections 2.6 (split virtqueues), 4.2 (MMIO), 5.2 (block).
 */
#include "device.h"
#include "disk.h"

#define MAGIC 0x000
#define VERSION 0x004
#define DEVICE_ID 0x008
#define DEVICE_FEATURES 0x010
#define DEVICE_FEATURES_SELECT 0x014
#define DRIVER_FEATURES 0x020
#define DRIVER_FEATURES_SELECT 0x024
#define QUEUE_SELECT 0x030
#define QUEUE_SIZE_MAX 0x034
#define QUEUE_SIZE 0x038
#define QUEUE_READY 0x044
#define QUEUE_NOTIFY 0x050
#define INTERRUPT_STATUS 0x060
#define INTERRUPT_ACKNOWLEDGE 0x064
#define STATUS 0x070
#define QUEUE_DESCRIPTORS 0x080
#define QUEUE_DRIVER 0x090
#define QUEUE_DEVICE 0x0a0
#define CONFIG_CAPACITY 0x100

#define MAGIC_VALUE 0x74726976
#define ID_BLOCK 2
#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FEATURES_OK 8
#define FEATURE_VERSION_1_HIGH 1 /* bit 32 */

#define DESCRIPTOR_NEXT 1
#define DESCRIPTOR_DEVICE_WRITES 2
#define REQUEST_READ 0
#define REQUEST_WRITE 1
#define QUEUE_LENGTH 4

/* What the device reads and writes, in one frame. */
struct queue {
  struct {
    u64 address;
    u32 length;
    u16 flags, next;
  } descriptors[QUEUE_LENGTH];
  struct {
    u16 flags, index, ring[QUEUE_LENGTH], used_event;
  } available;
  struct {
    u16 flags, index;
    struct {
      u32 id, length;
    } ring[QUEUE_LENGTH];
    u16 available_event;
  } used __attribute__((aligned(4)));
  struct {
    u32 type, reserved;
    u64 sector;
  } request __attribute__((aligned(16)));
  u8 status;
};

static u64 base; /* of the device's registers */
static u32 irq;
static volatile struct queue *queue;
static bool complete;
static struct wait_queue waiter;

static u32 get(u64 offset) { return mmio_read32(base + offset); }
static void put(u64 offset, u32 value) { mmio_write32(base + offset, value); }

static void put_address(u64 offset, const volatile void *p) {
  u64 physical = direct_to_physical((const void *)p);
  put(offset, (u32)physical);
  put(offset + 4, (u32)(physical >> 32));
}

static bool is_disk(u64 slot) {
  return mmio_read32(slot + MAGIC) == MAGIC_VALUE && mmio_read32(slot + VERSION) == 2 &&
         mmio_read32(slot + DEVICE_ID) == ID_BLOCK;
}

static bool start_device(void) {
  put(STATUS, 0);
  put(STATUS, STATUS_ACKNOWLEDGE);
  put(STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
  put(DEVICE_FEATURES_SELECT, 1);
  if (!(get(DEVICE_FEATURES) & FEATURE_VERSION_1_HIGH)) return false;
  put(DRIVER_FEATURES_SELECT, 0);
  put(DRIVER_FEATURES, 0);
  put(DRIVER_FEATURES_SELECT, 1);
  put(DRIVER_FEATURES, FEATURE_VERSION_1_HIGH);
  put(STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
  if (!(get(STATUS) & STATUS_FEATURES_OK)) return false;
  put(QUEUE_SELECT, 0);
  if (get(QUEUE_READY) || get(QUEUE_SIZE_MAX) < QUEUE_LENGTH) return false;
  put(QUEUE_SIZE, QUEUE_LENGTH);
  put_address(QUEUE_DESCRIPTORS, &queue->descriptors);
  put_address(QUEUE_DRIVER, &queue->available);
  put_address(QUEUE_DEVICE, &queue->used);
  put(QUEUE_READY, 1);
  put(STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
  return true;
}

/* Takes the first block device of the board's slots. */
static u64 start(void) {
  for (u32 slot = 0; slot < VIRTIO_SLOTS && !base; slot++) {
    u64 candidate = VIRTIO_BASE + slot * PAGE_SIZE;
    if (!is_disk(candidate)) continue;
    base = candidate;
    irq = VIRTIO_IRQ + slot;
  }
  if (!base) return 0;
  queue = frame_alloc_zeroed();
  if (!start_device()) panic("the disk at %lx does not start", base);
  plic_enable(irq);
  return ((u64)get(CONFIG_CAPACITY + 4) << 32 | get(CONFIG_CAPACITY)) / SECTORS_IN_BLOCK;
}

static void interrupt(u32 number) {
  if (number != irq) return;
  put(INTERRUPT_ACKNOWLEDGE, get(INTERRUPT_STATUS));
  if (queue->used.index != queue->available.index) return;
  complete = true;
  wake_all(&waiter);
}

static void describe(u32 index, const volatile void *p, u32 length, u16 flags) {
  queue->descriptors[index].address = direct_to_physical((const void *)p);
  queue->descriptors[index].length = length;
  queue->descriptors[index].flags = flags;
  queue->descriptors[index].next = (u16)(index + 1);
}

static i64 transfer(u64 block, void *page, bool write) {
  queue->request.type = write ? REQUEST_WRITE : REQUEST_READ;
  queue->request.sector = block * SECTORS_IN_BLOCK;
  queue->status = 0xff;
  describe(0, &queue->request, sizeof queue->request, DESCRIPTOR_NEXT);
  describe(1, page, PAGE_SIZE, write ? DESCRIPTOR_NEXT : DESCRIPTOR_NEXT | DESCRIPTOR_DEVICE_WRITES);
  describe(2, &queue->status, 1, DESCRIPTOR_DEVICE_WRITES);
  u16 index = queue->available.index;
  queue->available.ring[index % QUEUE_LENGTH] = 0;
  complete = false;
  __asm__ volatile("fence rw, w" ::: "memory");
  queue->available.index = (u16)(index + 1);
  __asm__ volatile("fence w, o" ::: "memory");
  put(QUEUE_NOTIFY, 0);
  while (!complete) sleep_on(&waiter);
  __asm__ volatile("fence r, rw" ::: "memory");
  return queue->status == 0 ? 0 : -EIO;
}

const struct disk_driver virtio_disk = {start, interrupt, transfer};
