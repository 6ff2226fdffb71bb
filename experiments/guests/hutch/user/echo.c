/* echo [WORD...]: prints its arguments. */
#include "libc.h"

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) print(i > 1 ? " %s" : "%s", argv[i]);
  print("\n");
  return 0;
}
