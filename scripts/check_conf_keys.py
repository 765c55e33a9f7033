#!/usr/bin/env python3
"""The `check-conf-keys` test: a configuration key is read by the product, or warned of as one without effect.

usage: check_conf_keys.py [repository root]
"""

import pathlib
import re
import sys

KEY = re.compile(r"inline constexpr \w+Key (k\w+)\{\s*\"([^\"]+)\"")
TABLE = re.compile(r"kKeysWithoutEffect\[\] = \{(.*?)\};", re.DOTALL)
READERS = ("common", "executor", "driver", "client")


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    config = root / "common/config"
    keys = dict(pair for header in sorted(config.glob("*_keys.h")) for pair in KEY.findall(header.read_text()))
    table = set(re.findall(r'"([^"]+)"', TABLE.search((config / "keys.cc").read_text()).group(1)))
    words = set()
    for folder in READERS:
        for path in (root / folder).rglob("*"):
            if path.suffix in (".h", ".cc") and (config not in path.parents or path.name == "demand.h"):
                words.update(re.findall(r"\bk[A-Z]\w*", path.read_text()))
    errors = []
    for constant, name in sorted(keys.items()):
        if constant in words and name in table:
            errors.append(f"{name} is read now: take it out of kKeysWithoutEffect (common/config/keys.cc)")
        if constant not in words and name not in table:
            errors.append(f"{name} is read nowhere: kKeysWithoutEffect (common/config/keys.cc) must name it")
    errors += [f"kKeysWithoutEffect names {name}, which is no key" for name in sorted(table - set(keys.values()))]
    print("\n".join(errors) or f"{len(keys)} keys, {len(table)} of them without effect")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
