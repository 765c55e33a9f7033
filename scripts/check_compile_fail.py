#!/usr/bin/env python3
"""The compile_fail tests: wrong lines are refused, with a message that says what to write instead.

A program of such a test compiles twice. What stands in RIGHT(...) is there the first time: it must compile, so that
whatever goes wrong later comes from the wrong lines alone. What stands in WRONG(...) is there the second time, below
lines `// expect-error: <regular expression>`, each of which must match an error that the compiler finds on account of
the WRONG(...) that follows, and every WRONG(...) has such a line:

  // expect-error: write millrace::Fn<&MyFunction>
  WRONG(lines.Map(&Trim);)
  RIGHT(lines.Map(millrace::Fn<&Trim>);)

usage: check_compile_fail.py SOURCE COMPILER [FLAGS...]
"""

import os
import re
import subprocess
import sys

EXPECTATION = re.compile(r"^\s*// expect-error: (.+)$")
WRONG = re.compile(r"^\s*WRONG\(")
END_OF_WRONG = re.compile(r"^\s*(RIGHT\(|// expect-error: )")


class WrongLines:
  """A WRONG(...) and the expressions that its errors must match."""

  def __init__(self, first, expected):
    self.first = first
    self.last = first
    self.expected = expected


def read_wrong_lines(source):
  found, expected, open_part = [], [], None
  for number, line in enumerate(open(source, encoding="utf-8"), start=1):
    expectation = EXPECTATION.match(line)
    if expectation or END_OF_WRONG.match(line):
      open_part = None
    if expectation:
      expected.append(expectation.group(1))
    elif WRONG.match(line):
      open_part = WrongLines(number, expected)
      found.append(open_part)
      expected = []
    elif open_part:
      open_part.last = number
  return found


def compile_program(source, command, keep, drop):
  flags = ["-fsyntax-only", f"-D{keep}(...)=__VA_ARGS__", f"-D{drop}(...)="]
  # Plain text, and the names of instantiated functions in full.
  return subprocess.run([*command, *flags, source], capture_output=True, text=True, timeout=240,
                        env={**os.environ, "LC_ALL": "C"})


def errors_by_line(source, said):
  """(line of the source, error) for each error: its own line, or the one that asked for what it is in."""
  place = re.compile(re.escape(source) + r":(\d+):")
  found = []
  line = None  # g++ says this before an error, and once for several.
  for text in said.splitlines():
    at = place.match(text)
    if "required from here" in text:
      line = int(at.group(1)) if at else None  # Not for what a header asks for.
    if " error: " in text:
      found.append([int(at.group(1)) if at else line, text])
    elif at and "requested here" in text and found:  # clang says it after the error.
      found[-1][0] = int(at.group(1))
    elif found and " note: " in text:
      found[-1][1] += "\n" + text
  return found


def main():
  source, command = sys.argv[1], sys.argv[2:]
  wrong_lines = read_wrong_lines(source)
  problems = []
  if not wrong_lines:
    problems.append(f"{source}: has no WRONG(...) at the start of a line")
  right = compile_program(source, command, keep="RIGHT", drop="WRONG")
  if right.returncode != 0:
    problems.append(f"{source}: does not compile with its RIGHT(...) lines:\n{right.stderr}")
  wrong = compile_program(source, command, keep="WRONG", drop="RIGHT")
  errors = errors_by_line(source, wrong.stderr)
  for part in wrong_lines:
    here = [text for line, text in errors if line is not None and part.first <= line <= part.last]
    if not part.expected:
      problems.append(f"{source}:{part.first}: has no line `// expect-error: <regular expression>` above it")
    if not here:
      problems.append(f"{source}:{part.first}: compiles, and should not")
    elif missing := [e for e in part.expected if not any(re.search(e, text) for text in here)]:
      problems.append("\n".join([*(f"{source}:{part.first}: the compiler does not say: {e}" for e in missing),
                                 "It says:", *here]))
  if problems:
    print("\n".join(problems))
  return 1 if problems else 0


if __name__ == "__main__":
  sys.exit(main())
