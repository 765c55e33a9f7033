#!/usr/bin/env python3
"""Writes the guide's blocks as C++ files guide_0.cc, guide_1.cc, ...

usage: generate.py GUIDE DIRECTORY NUMBER_OF_FILES
"""

import pathlib
import re
import sys

import blocks

INCLUDE = re.compile(r"^#include .*$", re.MULTILINE)

# A main() in a namespace is a function like any other.
PROGRAM = """
namespace guide_{name} {{
#line 1 "{name}.cc"
{code}
const Block block("{name}", main);
}}  // namespace guide_{name}
"""
FUNCTION = """
void Run([[maybe_unused]] StreamHarness& h) {{
  [[maybe_unused]] StreamingContext& ssc = h.context();
  [[maybe_unused]] Context& context = ssc.context();
#line 1 "{name}_before.cc"
{before}
{inside}
#line 1 "{name}_after.cc"
{after}
}}
const Block block("{name}", Run);
}}  // namespace guide_{name}
"""
BODY = """
namespace guide_{name} {{""" + FUNCTION.replace("{inside}", """#line 1 "{name}.cc"
{code}""")
FILE = """
namespace guide_{name} {{
#line 1 "{name}.cc"
{code}""" + FUNCTION.replace("{inside}", "")
FRAME_OF = {"program": PROGRAM, "body": BODY, "file": FILE, "fails": BODY}
USING = """
using namespace std::chrono_literals;
using millrace::Context;
using millrace::StreamingContext;
using millrace::guide::Block;
using millrace::guide::Check;
using millrace::guide::Show;
using millrace::testing::StreamHarness;
"""


def source(group):
  """One file of C++. What blocks include is included before their namespaces begin; in these it has no effect."""
  includes = sorted({line for block in group for line in INCLUDE.findall(block.code)})
  parts = ['#include "tests/guide/frame.h"\n', "\n".join(includes), USING]
  parts += [FRAME_OF[block.frame].format(**vars(block)) for block in group]
  return "\n".join(parts)


def size(group):
  return sum(len(block.before + block.code + block.after) for block in group)


def share_out(all_blocks, count):
  """Groups that take about as long to compile: the biggest blocks first, each to the group that has least."""
  groups = [[] for _ in range(count)]
  for block in sorted(all_blocks, key=lambda b: size([b]), reverse=True):
    min(groups, key=size).append(block)
  return groups


def main():
  guide, directory, count = sys.argv[1:]
  try:
    runnable = [b for b in blocks.read_blocks(pathlib.Path(guide)) if b.frame != "fails"]
  except blocks.GuideError as error:
    sys.exit(f"{guide}: {error}")
  for i, group in enumerate(share_out(runnable, int(count))):
    pathlib.Path(directory, f"guide_{i}.cc").write_text(source(group))


if __name__ == "__main__":
  main()
