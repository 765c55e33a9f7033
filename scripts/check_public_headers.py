#!/usr/bin/env python3
"""The `check-public-headers` test: <millrace/...> pulls in nothing that a user did not ask for.

Runs the preprocessor over every header of client/millrace and looks at what it opens. A header that is refused is
reported with the chain of includes that led to it.

usage: check_public_headers.py HEADER_FOLDER COMPILER [FLAGS...]
"""

import pathlib
import re
import subprocess
import sys

REFUSED = {
    r"/google/protobuf/|\.pb\.h$": "Protocol Buffers",
    r"/grpc(pp)?/": "gRPC",
    r"/glog/": "glog (its macros would be the user's)",
    r"/gflags/": "gflags",
    r"/(gtest|gmock)/": "a test framework",
    r"/c\+\+/[^/]*/regex$": "<regex> (slow to compile)",
}
# Abseil's status.h includes <iostream>, so that it is opened says nothing: our own headers must not name it.
IOSTREAM = re.compile(r"^\s*#\s*include\s*<iostream>", re.MULTILINE)
OPENED = re.compile(r"^(\.+) (.+)$", re.MULTILINE)


def refused_chains(root, tree):
  """tree: what -H prints, one line per opened file, as many dots as it is deep."""
  chain = []
  for dots, path in OPENED.findall(tree):
    chain = chain[:len(dots) - 1] + [path]
    for pattern, what in REFUSED.items():
      if re.search(pattern, path):
        yield what, list(chain)
    if path.startswith(str(root)) and IOSTREAM.search(pathlib.Path(path).read_text()):
      yield "<iostream>", list(chain)


def main():
  folder, command = pathlib.Path(sys.argv[1]), sys.argv[2:]
  root = folder.parents[1]
  failed = False
  for header in sorted(folder.rglob("*.h")):
    name = header.relative_to(folder.parent)
    result = subprocess.run([*command, "-x", "c++", "-E", "-H", "-o", "/dev/null", "-"],
                            input=f"#include <{name}>\n", capture_output=True, text=True, timeout=120)
    if result.returncode != 0:
      complaints = [line for line in result.stderr.splitlines() if not OPENED.match(line)]
      print(f"<{name}> cannot be included:\n" + "\n".join(complaints))
      failed = True
    first = {}  # one chain for each refused thing
    for what, chain in refused_chains(root, result.stderr):
      first.setdefault(what, chain)
    for what, chain in first.items():
      print(f"<{name}> pulls in {what}:\n  " + "\n  ".join(chain))
      failed = True
  return 1 if failed else 0


if __name__ == "__main__":
  sys.exit(main())
