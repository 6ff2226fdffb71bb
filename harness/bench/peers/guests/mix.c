/* Mixed code: strings, a list that is sorted, a state machine, calls through pointers, a bitwise CRC-16. */
#include "guest.h"

#define NODES 200
#define TEXT 512

struct node {
  struct node *next;
  u64 key;
  char name[16];
};

static struct node nodes[NODES];
static char text[TEXT + 1];

static u64 length(const char *s) {
  const char *end = s;
  while (*end != 0) end++;
  return (u64)(end - s);
}

static int compare(const char *a, const char *b) {
  while (*a != 0 && *a == *b) a++, b++;
  return (u8)*a - (u8)*b;
}

static char *append(char *to, const char *from) {
  while ((*to = *from++) != 0) to++;
  return to;
}

static void name(char *to, u64 number) {
  char digits[8];
  int count = 0;
  do digits[count++] = (char)('0' + number % 10);
  while ((number /= 10) != 0 && count < 7);
  *to++ = 'n';
  while (count > 0) *to++ = digits[--count];
  *to = 0;
}

static struct node *merge(struct node *a, struct node *b, int by_name) {
  struct node head, *last = &head;
  while (a != 0 && b != 0) {
    struct node **from = (by_name ? compare(a->name, b->name) <= 0 : a->key <= b->key) ? &a : &b;
    last = last->next = *from;
    *from = (*from)->next;
  }
  last->next = a != 0 ? a : b;
  return head.next;
}

static struct node *sort(struct node *list, int by_name) {
  if (list == 0 || list->next == 0) return list;
  struct node *middle = list, *end = list->next;
  while (end != 0 && end->next != 0) middle = middle->next, end = end->next->next;
  struct node *rest = middle->next;
  middle->next = 0;
  return merge(sort(list, by_name), sort(rest, by_name), by_name);
}

/* Counts words, numbers and signs in a text, character by character. */
static u64 scan(const char *s) {
  enum { START, WORD, NUMBER, HEX, SIGN, SPACE } state = START;
  u64 counts[6] = {0};
  for (; *s != 0; s++) {
    char c = *s;
    switch (state) {
      case START:
      case SPACE:
      case SIGN:
        state = c >= 'a' && c <= 'z' ? WORD : c == '0' ? HEX : c >= '1' && c <= '9' ? NUMBER : c == ' ' ? SPACE : SIGN;
        break;
      case WORD:
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) state = c == ' ' ? SPACE : SIGN;
        break;
      case NUMBER:
        if (c < '0' || c > '9') state = c >= 'a' && c <= 'z' ? WORD : c == ' ' ? SPACE : SIGN;
        break;
      case HEX:
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == 'x')) state = c == ' ' ? SPACE : SIGN;
        break;
    }
    counts[state]++;
  }
  u64 sum = 0;
  for (int i = 0; i < 6; i++) sum = mix(sum, counts[i]);
  return sum;
}

static u64 op_add(u64 a, u64 b) { return a + b; }
static u64 op_subtract(u64 a, u64 b) { return a - b; }
static u64 op_multiply(u64 a, u64 b) { return a * (b | 1); }
static u64 op_rotate(u64 a, u64 b) { return a << (b & 63) | a >> (-b & 63); }
static u64 op_divide(u64 a, u64 b) { return a / (b % 1000 + 1); }
static u64 op_xor(u64 a, u64 b) { return a ^ b; }
static u64 (*const volatile operations[])(u64, u64) = {op_add, op_subtract, op_multiply, op_rotate, op_divide, op_xor, op_add, op_rotate};

static u64 calculate(u64 seed, u64 count) {
  u64 value = seed;
  for (u64 i = 0; i < count; i++) value = operations[next_random(&seed) >> 20 & 7](value, seed);
  return value;
}

/* CRC-16/CCITT, bit by bit. */
static u16 crc16(const char *s, u64 bytes) {
  u16 crc = 0xffff;
  for (u64 i = 0; i < bytes; i++) {
    crc ^= (u16)((u8)s[i] << 8);
    for (int bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (u16)(crc << 1 ^ 0x1021) : (u16)(crc << 1);
  }
  return crc;
}

u64 work(void) {
  static const char *const words[] = {"trap ", "0x1f ", "and ", "emulate ", "+ ", "4711 ", "guest", "; "};
  u64 seed = 88172645463325252ul, sum = 1;
  for (u64 round = 0; round < rounds; round++) {
    for (u64 i = 0; i < NODES; i++) {
      nodes[i].key = next_random(&seed) >> 44;
      name(nodes[i].name, nodes[i].key);
      nodes[i].next = i + 1 < NODES ? &nodes[i + 1] : 0;
    }
    struct node *list = sort(sort(nodes, 1), 0);
    for (u64 place = 0; list != 0; list = list->next) sum = mix(sum, list->key + place++ + length(list->name));
    char *end = text;
    while (end < text + TEXT - 16) end = append(end, words[next_random(&seed) >> 30 & 7]);
    sum = mix(sum, scan(text));
    sum = mix(sum, calculate(seed, 500));
    sum = mix(sum, crc16(text, (u64)(end - text)));
  }
  return sum;
}
