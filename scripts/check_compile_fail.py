#!/usr/bin/env python3
"""The compile_fail tests: a wrong program is refused, with a message that says what to write instead.

Each program starts with comment lines `// expect-error: <regular expression>`. It passes when the compiler refuses it
and every expression matches somewhere in what the compiler says (line breaks and quotes as the compiler writes them).

usage: check_compile_fail.py SOURCE COMPILER [FLAGS...]
"""

import re
import subprocess
import sys

EXPECTATION = re.compile(r"^// expect-error: (.+)$", re.MULTILINE)


def main():
  source, command = sys.argv[1], sys.argv[2:]
  expected = EXPECTATION.findall(open(source, encoding="utf-8").read())
  if not expected:
    print(f"{source}: has no line `// expect-error: <regular expression>`")
    return 1
  result = subprocess.run([*command, "-fsyntax-only", source], capture_output=True, text=True, timeout=240)
  if result.returncode == 0:
    print(f"{source}: compiles, and should not")
    return 1
  missing = [e for e in expected if not re.search(e, result.stderr)]
  for expression in missing:
    print(f"{source}: the compiler does not say: {expression}")
  if missing:
    print("It says:\n" + result.stderr)
  return 1 if missing else 0


if __name__ == "__main__":
  sys.exit(main())
