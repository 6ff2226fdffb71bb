/*
 * sh -c "COMMAND; COMMAND": runs them in turn and exits with the first status that is not 0.
 * sh: reads such lines from the console until "exit" or the end of input.
 * Left out: pipes, redirection, quotes, variables, background jobs.
 */
#include "libc.h"

#define WORDS 16
#define LINE 256

/* Runs one command and returns its status: 127 where there is no such program, 128 + signal where one ended it. */
static int run(char **words) {
  u32 status = 0;
  i64 pid = must(fork(), "sh: fork");
  if (pid == 0) {
    exec(words[0], words);
    print("sh: %s: not found\n", words[0]);
    exit(127);
  }
  i64 ended;
  do ended = must(wait(&status), "sh: wait");
  while (ended != pid);
  if (status >= STATUS_SIGNAL) {
    print("sh: %s: ended by signal %d\n", words[0], (i64)(status - STATUS_SIGNAL));
    flush();
    return 128 + (int)(status - STATUS_SIGNAL);
  }
  return (int)status;
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n'; }

/* Cuts a command out of *text, up to ';' or the end, into words; returns how many. */
static int split(char **text, char **words) {
  int count = 0;
  char *p = *text;
  while (*p && *p != ';') {
    if (is_space(*p)) {
      *p++ = 0;
      continue;
    }
    if (count < WORDS - 1) words[count++] = p;
    while (*p && *p != ';' && !is_space(*p)) p++;
  }
  if (*p) *p++ = 0;
  words[count] = NULL;
  *text = p;
  return count;
}

static int run_line(char *text) {
  char *words[WORDS];
  int first_failure = 0;
  while (*text) {
    if (split(&text, words) == 0) continue;
    if (strcmp(words[0], "exit") == 0) exit(first_failure);
    int status = run(words);
    if (!first_failure) first_failure = status;
  }
  return first_failure;
}

int main(int argc, char **argv) {
  static char line[LINE];
  if (argc == 3 && strcmp(argv[1], "-c") == 0) return run_line(argv[2]);
  for (;;) {
    print("hutch$ ");
    flush();
    i64 n = read(0, line, sizeof line - 1);
    if (n <= 0) break;
    line[n] = 0;
    run_line(line);
  }
  return 0;
}
