/* A pointer chase over 4 MiB: one cycle through all nodes, in random order (Sattolo 1986). */
#include "guest.h"

#define NODES 65536
/* Steps in a round. */
#define STEPS 65536

struct node {
  struct node *next;
  u64 value[7];
};

static struct node nodes[NODES];
static u32 order[NODES];

u64 work(void) {
  u64 seed = 88172645463325252ul, sum = 1;
  for (u32 i = 0; i < NODES; i++) order[i] = i;
  for (u32 i = NODES - 1; i > 0; i--) {
    u32 j = (u32)(next_random(&seed) >> 20) % i, kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
  for (u32 i = 0; i < NODES; i++) {
    nodes[order[i]].next = &nodes[order[(i + 1) % NODES]];
    nodes[order[i]].value[0] = i;
  }
  const struct node *here = nodes;
  for (u64 round = 0; round < rounds; round++) {
    for (u64 step = 0; step < STEPS; step++) {
      sum += here->value[0] ^ step;
      here = here->next;
    }
    sum = mix(sum, round);
  }
  return sum;
}
