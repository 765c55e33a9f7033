#!/usr/bin/env python3
"""The `check-layers` test: the source tree against its own map.

1. Every include is one that scripts/layers.txt allows, and names its file from the repository root.
2. Every file of the product stands exactly once in the map of a README: the nearest one above it. Every folder with a
   README stands in the map of the README above it, and every top folder has one. Of deploy/ that is every file, whatever
   it is, but those that a user makes there.

A map is a table with the head `file` or `folder`. The first cell of a row names files (`codec.h` stands for codec.cc
too, unless that is named; `codec` for all files codec.*) or folders (`record/`).

usage: check_layers.py [repository root]
"""

import collections
import pathlib
import re
import sys

TOP_FOLDERS = ("proto", "common", "executor", "driver", "client", "deploy", "tests")
# tests/unit mirrors the source, so its files need no map of their own.
MAPPED_FOLDERS = ("proto", "common", "executor", "driver", "client", "deploy")
USERS_FILES = ("deploy/.env", "deploy/secret")  # As .gitignore has them.
SOURCE_SUFFIXES = (".h", ".cc", ".proto")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
IMPORT = re.compile(r'^\s*import\s+(?:public\s+)?"([^"]+)"', re.MULTILINE)
MAP_HEAD = re.compile(r"(files?|folders?|headers?)( or folder)?", re.IGNORECASE)
BRACES = re.compile(r"\{([^}]*)\}")


def sources(root, tops):
  for top in tops:
    for path in sorted((root / top).rglob("*")):
      if path.suffix in SOURCE_SUFFIXES and path.is_file():
        yield path.relative_to(root).as_posix()


def mapped_files(root):
  yield from sources(root, MAPPED_FOLDERS)
  for path in sorted((root / "deploy").rglob("*")):
    name = path.relative_to(root).as_posix()
    if path.is_file() and path.name != "README.md" and path.suffix not in SOURCE_SUFFIXES and name not in USERS_FILES:
      yield name


def read_layers(root):
  layers = {}
  for line in (root / "scripts/layers.txt").read_text().splitlines():
    line = line.split("#")[0].strip()
    if line:
      folder, _, allowed = line.partition(":")
      layers[folder.strip()] = allowed.split()
  return layers


def inside(path, folder):
  return path == folder or path.startswith(folder + "/")


def check_includes(root):
  layers = read_layers(root)
  for name in sources(root, TOP_FOLDERS):
    text = (root / name).read_text()
    owner = max((f for f in layers if inside(name, f)), key=len, default=None)
    if owner is None:
      yield f"{name}: no row of scripts/layers.txt covers it"
      continue
    found = [(bracket, target) for bracket, target in INCLUDE.findall(text)]
    if name.endswith(".proto"):
      found = [('"', t) for t in IMPORT.findall(text) if not t.startswith("google/")]
    for bracket, target in found:
      yield from check_include(root, name, owner, layers[owner], bracket, target)


def check_include(root, name, owner, allowed, bracket, target):
  top = target.split("/")[0]
  public = target.removeprefix("client/")
  if public.startswith("millrace/"):
    if (bracket, target) != ("<", public):
      yield f"{name}: include <{public}>, not \"{target}\""
    if owner != "millrace" and "millrace" not in allowed:
      yield f"{name}: {owner} may not include <{target}>"
  elif bracket == '"' and top in TOP_FOLDERS:
    if not any(inside(target, f) for f in [owner, *allowed]):
      yield f"{name}: {owner} may not include \"{target}\" (it may include: {', '.join(allowed) or 'nothing'})"
    elif not (root / target).is_file() and not target.endswith(".pb.h"):
      yield f"{name}: \"{target}\" does not exist"
  elif bracket == '"' and ((root / name).parent / target).is_file():
    yield f"{name}: \"{target}\" lies beside it; write its path from the repository root"


def expand(token):
  """`a.{h,cc}` -> a.h, a.cc"""
  braces = BRACES.search(token)
  if not braces:
    return [token]
  return [token[:braces.start()] + option.strip() + token[braces.end():] for option in braces.group(1).split(",")]


def map_entries(readme):
  """What the first cells of the README's maps name."""
  cells = []  # first cells of the table that is being read
  for line in [*readme.read_text().splitlines(), ""]:
    if line.startswith("|"):
      cells.append(line.strip("|").split("|")[0].strip())
      continue
    if cells and MAP_HEAD.fullmatch(cells[0]):
      for cell in cells[2:]:
        yield from names_in(cell)
    cells = []


def names_in(cell):
  for token in re.split(r"[,\s]+(?![^{]*\})", cell.replace("`", "")):
    yield from expand(token.removesuffix("/"))


def named_by(file, entries):
  """The entries of a map that name this file (both relative to the README)."""
  exact = [e for e in entries if e == file]
  if exact:
    return exact
  stem = pathlib.PurePosixPath(file).with_suffix("").as_posix()
  return [e for e in entries if e == stem or (e == stem + ".h" and file == stem + ".cc")]


def check_maps(root):
  files_of = collections.defaultdict(list)  # folder of a README -> what its map must name
  bare = collections.defaultdict(list)  # folder that no README speaks of -> its files
  for name in mapped_files(root):
    folder = pathlib.PurePosixPath(name).parent
    while folder.name and not (root / folder / "README.md").is_file():
      folder = folder.parent
    if not folder.name:
      bare[pathlib.PurePosixPath(name).parent.as_posix()].append(pathlib.PurePosixPath(name).name)
      continue
    files_of[folder.as_posix()].append(pathlib.PurePosixPath(name).relative_to(folder).as_posix())
  for folder, files in bare.items():
    yield f"{folder}: no README.md here or above it, so nothing lists {', '.join(files)}"
  for top in MAPPED_FOLDERS:
    if not (root / top / "README.md").is_file():
      yield f"{top}: has no README.md"
  for readme in sorted(r for top in MAPPED_FOLDERS for r in (root / top).rglob("README.md")):
    folder = readme.parent.relative_to(root).as_posix()
    subfolders = nested_readmes(readme.parent)
    yield from check_map(folder, list(map_entries(readme)), files_of[folder], subfolders)


def nested_readmes(folder):
  """Folders below this one with a README of their own and none between."""
  found = []
  for child in sorted(p for p in folder.iterdir() if p.is_dir()):
    if (child / "README.md").is_file():
      found.append(child.name)
    else:
      found += [f"{child.name}/{deeper}" for deeper in nested_readmes(child)]
  return found


def check_map(folder, entries, files, subfolders):
  named = {name: named_by(name, entries) for name in [*files, *subfolders]}
  for name, by in named.items():
    if len(by) != 1:
      yield f"{folder}/README.md: its map names {name} {len(by)} times, not once"
  for entry in set(entries).difference(*named.values()):
    yield f"{folder}/README.md: its map names {entry}, which is no file of the folder"


def main():
  root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1]).resolve()
  problems = [*check_includes(root), *check_maps(root)]
  for problem in problems:
    print(problem)
  return 1 if problems else 0


if __name__ == "__main__":
  sys.exit(main())
