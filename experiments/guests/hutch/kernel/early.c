/*
 * Runs with satp = 0 at physical addresses: reads the device tree, builds the kernel's page table.
 * Every address here is PC-relative, hence physical; nothing may use a pointer constant or a jump table.
 * Left out: #address-cells and #size-cells other than 2, more than one memory node, RAM above 1 GiB.
 * Source: Devicetree Specification 0.4, chapter 5; privileged manual, Sv39.
 */
#include "kernel.h"

struct boot_info boot_info;

u64 kernel_root[512] __attribute__((aligned(PAGE_SIZE)));
static u64 image_middle[512] __attribute__((aligned(PAGE_SIZE)));
static u64 image_leaves[512] __attribute__((aligned(PAGE_SIZE)));
static u64 ram_middle[512] __attribute__((aligned(PAGE_SIZE)));
static u64 ram_leaves[512] __attribute__((aligned(PAGE_SIZE)));
static u64 device_middle[512] __attribute__((aligned(PAGE_SIZE)));
static u64 device_leaves[512] __attribute__((aligned(PAGE_SIZE)));
static u64 plic_leaves[2][512] __attribute__((aligned(PAGE_SIZE)));

extern char text_start[], text_end[], rodata_end[], module_start[], module_end[], image_end[];

#define FDT_MAGIC 0xd00dfeed
#define FDT_BEGIN_NODE 1
#define FDT_END_NODE 2
#define FDT_PROP 3
#define FDT_END 9

static u32 big_endian(const u8 *p) { return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3]; }

static bool starts_with(const char *s, const char *prefix) {
  while (*prefix) {
    if (*s++ != *prefix++) return false;
  }
  return true;
}

static bool same(const char *a, const char *b) { return starts_with(a, b) && starts_with(b, a); }

/* Whether a list of strings holds one of them. */
static bool lists(const u8 *list, u32 length, const char *wanted) {
  for (u32 at = 0; at < length;) {
    if (same((const char *)list + at, wanted)) return true;
    while (at < length && list[at]) at++;
    at++;
  }
  return false;
}

/* A node's properties come in any order: which of them is its name shows at its end. */
static typeof(boot_info.ata) found_ata;

static void read_ata_property(const char *name, const u8 *value, u32 length) {
  if (same(name, "reg") && length == 32) {
    found_ata.command = (u64)big_endian(value) << 32 | big_endian(value + 4);
    found_ata.control = (u64)big_endian(value + 16) << 32 | big_endian(value + 20);
  } else if (same(name, "reg-shift") && length == 4) {
    found_ata.shift = big_endian(value);
  } else if (same(name, "interrupts") && length == 4) {
    found_ata.irq = big_endian(value);
  }
}

static void read_device_tree(const u8 *tree) {
  if (big_endian(tree) != FDT_MAGIC) return;
  const u8 *p = tree + big_endian(tree + 8);
  const char *strings = (const char *)tree + big_endian(tree + 12);
  u32 depth = 0;
  const char *node = "";
  bool is_ata = false;
  for (;;) {
    u32 token = big_endian(p);
    p += 4;
    if (token == FDT_BEGIN_NODE) {
      depth++;
      node = (const char *)p;
      is_ata = false;
      while (*p++) continue;
      p = (const u8 *)(((u64)p + 3) & ~3UL);
    } else if (token == FDT_END_NODE) {
      depth--;
      node = "";
      if (is_ata) boot_info.ata = found_ata;
      is_ata = false;
    } else if (token == FDT_PROP) {
      u32 length = big_endian(p);
      const char *name = strings + big_endian(p + 4);
      p += 8;
      if (depth == 2 && starts_with(node, "memory") && same(name, "reg") && length >= 16) {
        u64 base = (u64)big_endian(p) << 32 | big_endian(p + 4);
        u64 size = (u64)big_endian(p + 8) << 32 | big_endian(p + 12);
        boot_info.ram_end = base + size;
      } else if (depth == 2 && same(node, "chosen") && same(name, "bootargs")) {
        boot_info.arguments_length = length;
        for (u32 i = 0; i < length && i < ARGUMENTS_SIZE - 1; i++) boot_info.arguments[i] = (char)p[i];
      } else if (depth == 2 && same(node, "cpus") && same(name, "timebase-frequency") && length == 4) {
        boot_info.timebase = big_endian(p);
      } else if (starts_with(node, "ata@")) {
        is_ata |= same(name, "compatible") && lists(p, length, "ata-generic");
        read_ata_property(name, p, length);
      }
      p = (const u8 *)(((u64)p + length + 3) & ~3UL);
    } else if (token == FDT_END) {
      return;
    }
  }
}

static u64 table_entry(const u64 *table) { return (u64)table >> 12 << 10 | PTE_V; }

/* Every leaf has A, and D where it can be written: no hardware sets them here (Svade). */
static u64 leaf(u64 physical, u64 permissions) {
  return physical >> 12 << 10 | permissions | PTE_V | PTE_A | (permissions & PTE_W ? PTE_D : 0);
}

static void map_image(void) {
  u64 text = (u64)text_start, rodata = (u64)text_end, data = (u64)rodata_end, end = (u64)image_end;
  u64 address = text + IMAGE_OFFSET;
  kernel_root[address >> 30 & 511] = table_entry(image_middle);
  image_middle[address >> 21 & 511] = table_entry(image_leaves);
  for (u64 page = text; page < end; page += PAGE_SIZE) {
    u64 permissions = page < rodata ? PTE_R | PTE_X : page < data ? PTE_R : PTE_R | PTE_W;
    if (page >= (u64)module_start && page < (u64)module_end) permissions |= PTE_X;
    image_leaves[page >> 12 & 511] = leaf(page, permissions);
  }
}

/* The firmware below the image and the image itself stay out of the direct map: no frame of theirs has an alias. */
static void map_ram(void) {
  u64 first = IMAGE_BASE + MEGAPAGE_SIZE;
  kernel_root[(RAM_BASE + DIRECT_OFFSET) >> 30 & 511] = table_entry(ram_middle);
  ram_middle[(IMAGE_BASE - RAM_BASE) >> 21] = table_entry(ram_leaves);
  for (u64 page = (u64)image_end; page < first && page < boot_info.ram_end; page += PAGE_SIZE) {
    ram_leaves[page >> 12 & 511] = leaf(page, PTE_R | PTE_W);
  }
  for (u64 page = first; page + MEGAPAGE_SIZE <= boot_info.ram_end; page += MEGAPAGE_SIZE) {
    ram_middle[page >> 21 & 511] = leaf(page, PTE_R | PTE_W);
  }
}

/* A device that lies in the same megapage as the 16550; 0 is none. */
static void map_device(u64 physical) {
  if (physical >> 21 == UART_BASE >> 21) device_leaves[physical >> 12 & 511] = leaf(PAGE_DOWN(physical), PTE_R | PTE_W);
}

static void map_devices(void) {
  kernel_root[DIRECT_OFFSET >> 30 & 511] = table_entry(device_middle);
  device_middle[UART_BASE >> 21] = table_entry(device_leaves);
  device_middle[PLIC_BASE >> 21] = table_entry(plic_leaves[0]);
  device_middle[(PLIC_BASE >> 21) + 1] = table_entry(plic_leaves[1]);
  for (u64 i = 0; i < 9; i++) device_leaves[i] = leaf(UART_BASE + i * PAGE_SIZE, PTE_R | PTE_W);
  map_device(boot_info.ata.command);
  map_device(boot_info.ata.control);
  plic_leaves[0][0] = leaf(PLIC_BASE, PTE_R | PTE_W);
  plic_leaves[0][2] = leaf(PLIC_BASE + 0x2000, PTE_R | PTE_W);
  plic_leaves[1][1] = leaf(PLIC_BASE + 0x201000, PTE_R | PTE_W);
}

/* Returns the satp value of the kernel's own page table. */
u64 early_boot(const u8 *tree) {
  read_device_tree(tree);
  if (boot_info.ram_end > RAM_BASE + 0x40000000UL) boot_info.ram_end = RAM_BASE + 0x40000000UL;
  boot_info.ram_end &= ~(u64)(MEGAPAGE_SIZE - 1);
  map_image();
  map_ram();
  map_devices();
  return SATP_SV39 | (u64)kernel_root >> 12;
}
