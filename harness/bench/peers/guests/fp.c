/* Double precision: bodies under gravity, advanced by the symplectic Euler method. */
#include "guest.h"

#define BODIES 5

struct body {
  double x[3], v[3], mass;
};

static struct body bodies[BODIES];

static double energy(void) {
  double sum = 0;
  for (int i = 0; i < BODIES; i++) {
    const struct body *a = &bodies[i];
    sum += 0.5 * a->mass * (a->v[0] * a->v[0] + a->v[1] * a->v[1] + a->v[2] * a->v[2]);
    for (int j = i + 1; j < BODIES; j++) {
      const struct body *b = &bodies[j];
      double dx = a->x[0] - b->x[0], dy = a->x[1] - b->x[1], dz = a->x[2] - b->x[2];
      sum -= a->mass * b->mass / __builtin_sqrt(dx * dx + dy * dy + dz * dz);
    }
  }
  return sum;
}

static void advance(double dt) {
  for (int i = 0; i < BODIES; i++) {
    struct body *a = &bodies[i];
    for (int j = i + 1; j < BODIES; j++) {
      struct body *b = &bodies[j];
      double dx = a->x[0] - b->x[0], dy = a->x[1] - b->x[1], dz = a->x[2] - b->x[2];
      double square = dx * dx + dy * dy + dz * dz;
      double magnitude = dt / (square * __builtin_sqrt(square));
      double fa = b->mass * magnitude, fb = a->mass * magnitude;
      a->v[0] -= dx * fa, a->v[1] -= dy * fa, a->v[2] -= dz * fa;
      b->v[0] += dx * fb, b->v[1] += dy * fb, b->v[2] += dz * fb;
    }
  }
  for (int i = 0; i < BODIES; i++)
    for (int k = 0; k < 3; k++) bodies[i].x[k] += dt * bodies[i].v[k];
}

static u64 bits(double value) {
  union {
    double value;
    u64 bits;
  } both = {value};
  return both.bits;
}

u64 work(void) {
  /* A heavy body, and four that circle it: one every few units of length. */
  for (int i = 0; i < BODIES; i++) {
    struct body *body = &bodies[i];
    double distance = 4.0 * i;
    body->x[i & 1] = distance, body->x[2] = 0.125 * i;
    body->v[1 - (i & 1)] = i == 0 ? 0 : __builtin_sqrt(40.0 / distance);
    body->mass = i == 0 ? 40.0 : 0.03 / i;
  }
  u64 sum = mix(1, bits(energy()));
  for (u64 round = 0; round < rounds; round++) advance(0.01);
  for (int i = 0; i < BODIES; i++)
    for (int k = 0; k < 3; k++) sum = mix(sum, bits(bodies[i].x[k]));
  u64 flags;
  asm volatile("frflags %0" : "=r"(flags));
  return mix(mix(sum, bits(energy())), flags);
}
