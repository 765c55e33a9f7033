#!/usr/bin/env python3
"""The `check-guarantees` test: each cell of the table of guarantees in client/README.md names tests that exist.

usage: check_guarantees.py [repository root]
"""

import pathlib
import re
import sys

SECTION = re.compile(r"^## Guarantees\n(.*?)^## ", re.DOTALL | re.MULTILINE)
NAME = re.compile(r"`(\w+)\.(\w+)`")
TEST = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    section = SECTION.search((root / "client/README.md").read_text()).group(1)
    tests = {test for path in (root / "tests").rglob("*.cc") for test in TEST.findall(path.read_text())}
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in section.splitlines()
            if line.startswith("|")]
    head, cells = rows[0], rows[2:]
    errors = []
    for row in cells:
        if len(row) != len(head):
            errors.append(f"the row of '{row[0]}' has {len(row)} cells, the head {len(head)}")
            continue
        for column, cell in list(zip(head, row))[1:]:
            if not NAME.search(cell):
                errors.append(f"'{row[0]}', '{column}': no test is named")
    named = set(NAME.findall(section))
    errors += [f"there is no test {suite}.{name}" for suite, name in sorted(named - tests)]
    for error in errors:
        print(error)
    if not cells:
        errors.append("the table is empty")
    print(f"{len(cells)} rows, {len(named)} tests")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
