"""How the tests of deploy/ end, and how they wait."""

import shutil
import subprocess
import sys
import time

# What CMakeLists.txt calls a skipped test.
SKIPPED = 77


class Failure(Exception):
  """What is not as it must be."""


def skip(reason):
  print(f"SKIPPED: {reason}")
  sys.exit(SKIPPED)


def missing_programs(names):
  return [name for name in names if not shutil.which(name)]


def check(holds, what):
  if not holds:
    raise Failure(what)


def run(command, patience_s=60, stdin=subprocess.DEVNULL, env=None):
  """What it prints; a Failure with all of that when it fails."""
  done = subprocess.run(command, text=True, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
                        timeout=patience_s, check=False)
  if done.returncode != 0:
    raise Failure(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
  return done.stdout


def eventually(what, holds, patience_s=60):
  """Asks again and again; what `holds` returned when that is true."""
  end = time.monotonic() + patience_s
  last = None
  while time.monotonic() < end:
    last = holds()
    if last:
      return last
    time.sleep(0.1)
  raise Failure(f"not within {patience_s} s: {what}")
