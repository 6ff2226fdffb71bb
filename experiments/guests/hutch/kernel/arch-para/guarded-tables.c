/* Page tables that the VMM guards: the kernel only reads them, and changes them in batches. */
#include "../kernel.h"

#define BATCH 64

bool tables_guarded;

static u64 batch[2 * BATCH];
static u32 count;

/* Refused entries would be a defect of this kernel. */
static void checked(u64 error) {
  if (error) panic("the VMM refuses a change of page tables: error %d", (int)error);
}

/* Makes the changes that are queued. */
void tables_update(void) {
  u64 entries = count;
  count = 0;
  if (entries) checked(hypercall(CALL_UPDATE, image_to_physical(batch), entries, 0));
}

/* An entry is read by others once it is written: what reads one that may be queued must update first. */
void table_queue(u64 *entry, u64 value) {
  batch[2 * count] = direct_to_physical(entry);
  batch[2 * count + 1] = value;
  if (++count == BATCH) tables_update();
}

void table_made(const u64 *table) {
  if (tables_guarded) checked(hypercall(CALL_GUARD, direct_to_physical(table), 0, 0));
}

void table_gone(const u64 *table) {
  if (!tables_guarded) return;
  tables_update();
  checked(hypercall(CALL_UNGUARD, direct_to_physical(table), 0, 0));
}

void arch_options(char *arguments) {
  static const char guard[] = "guard ";
  u64 n = sizeof guard - 1;
  if (memcmp(arguments, guard, n) != 0) return;
  tables_guarded = true;
  for (char *to = arguments; (*to = to[n]) != 0; to++) continue;
}
