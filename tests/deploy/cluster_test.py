#!/usr/bin/env python3
"""The test `deploy.cluster`: the stack of deploy/docker-compose.yml in a real container engine.

It is brought up from an image of programs that are built already, counts the words of its source, and then those of a
log, exactly, while containers are killed, paused and cut off.

usage: cluster_test.py SOURCE_DIRECTORY DIRECTORY_OF_DAEMONS PROGRAM... SCRATCH_DIRECTORY
       cluster_test.py --isolated SCRATCH_DIRECTORY      (what the first does in namespaces of its own)
"""

import collections
import contextlib
import json
import os
import pathlib
import random
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request

from engine import PROGRAMS, Engine, base_image, links, remove_cgroups, remove_tree, run_isolated
from outcome import Failure, check, eventually, missing_programs, run, skip

# Less than that of CMakeLists.txt: what is left is for the clean-up.
PATIENCE_S = 480
PROJECT = "millrace_deploy_test"
EXECUTORS = 3
# Who is silent is noticed soon.
PEER_TIMEOUT_MS = 4000
CONF = ("--conf", "millrace.network.timeout=5s", "--conf", "millrace.executor.heartbeatInterval=500ms")
INTERVAL_MS = 250


class Stack:
  """The services, as deploy/README.md has them, on a copy of the files that the image is made of."""

  def __init__(self, engine, tree, base):
    self.engine = engine
    self.file = tree / "deploy/docker-compose.yml"
    # Ports of this machine: any that are free.
    self.environment = dict(
        engine.environment, MILLRACE_BASE_IMAGE=base, MILLRACE_PROGRAMS="dist", MILLRACE_PORT="", MILLRACE_HTTP_PORT="",
        MILLRACE_EXECUTOR_MEMORY_MB="1024", MILLRACE_PEER_TIMEOUT_MS=str(PEER_TIMEOUT_MS))

  def compose(self, *arguments, patience_s=120, **options):
    return run(["docker-compose", "-p", PROJECT, "-f", self.file, *arguments], patience_s, env=self.environment, **options)

  def up(self):
    """Brings up what is not: containers that were killed too."""
    self.compose("up", "-d", "--no-build", "--scale", f"executor={EXECUTORS}", "driver", "executor", "source")

  def submit(self, *arguments):
    return self.compose("run", "--rm", "-T", "submit", *arguments)

  def containers(self, service):
    """Ids of all there are, those that do not run too."""
    return self.compose("ps", "-q", service).split()

  def driver(self):
    return self.containers("driver")[0]

  def inspect(self, container, template):
    return self.engine.docker("inspect", "--format", template, container).strip()

  def await_healthy(self):
    def unhealthy():
      return [c for c in [self.driver(), *self.containers("executor")]
              if self.inspect(c, "{{.State.Health.Status}}") != "healthy"]
    eventually("all daemons are healthy", lambda: not unhealthy())

  def get(self, path):
    """From the driver's web page; None while it does not answer."""
    try:
      address = self.compose("port", "driver", "8080").strip()
      with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
        return answer.read().decode()
    except (OSError, Failure):
      return None

  def executors(self):
    """Those that the driver knows: container -> cores that workers have."""
    state = self.get("/json")
    return {e["host"]: e["coresUsed"] for e in json.loads(state)["executors"]} if state else {}

  def await_executors(self, count):
    eventually(f"the driver knows {count} executors", lambda: len(self.executors()) == count)

  def busy_executor(self):
    """A container with a worker."""
    def busy():
      hosts = [host for host, cores in self.executors().items() if cores > 0]
      return next((c for c in self.containers("executor") if c[:12] in hosts), None)
    return eventually("an executor has a worker", busy)

  def describe(self):
    return self.compose("ps") + self.compose("logs", "--no-color", "--tail", "60")


class WordLog:
  """A log in the volume /data, what was written to it, and what the program killed_counts made of it."""

  def __init__(self, stack):
    self.stack = stack
    self.random = random.Random(20240517)
    self.written = collections.Counter()
    volume = stack.inspect(stack.driver(), '{{range .Mounts}}{{if eq .Destination "/data"}}{{.Source}}{{end}}{{end}}')
    self.output = pathlib.Path(volume) / "output"

  def append(self, count):
    words = [f"word{self.random.randrange(20)}" for _ in range(count)]
    self.written.update(words)
    with tempfile.TemporaryFile("w+") as text:
      text.writelines(f"{word}\n" for word in words)
      text.seek(0)
      self.stack.compose("run", "--rm", "-T", "--entrypoint", "examples/log_word_count", "submit", "write", "/data/log",
                         stdin=text)

  def read(self, name):
    """The outputs of one name, by batch; incomplete ones have another name."""
    outputs = {}
    for folder in self.output.glob(f"{name}-*"):
      counts = outputs[int(folder.name.removeprefix(f"{name}-"))] = collections.Counter()
      for part in folder.glob("part-*"):
        for word, number in re.findall(r"\((\w+),(\d+)\)", part.read_text()):
          counts[word] += int(number)
    return outputs

  def counted(self):
    return sum(self.read("batch").values(), collections.Counter())

  def await_counts(self, when):
    total = self.written.total()
    eventually(f"{when}: all {total} words are counted", lambda: self.counted().total() >= total, patience_s=90)
    check(self.counted() == self.written, f"{when}: counted {self.counted()}, not {self.written}")
    print(f"exact {when}: {total} words", flush=True)

  def check_all(self):
    """When the program has ended: no batch is missing, and the state went on from batch to batch."""
    batches = self.read("batch")
    sums = self.read("sums")
    so_far = collections.Counter()
    expected = min(batches)
    for time, counts in sorted(batches.items()):
      check(time == expected, f"batch {expected} is missing")
      expected += INTERVAL_MS
      so_far += counts
      # A program that is killed may have come to the first outputs of its last batch only.
      if time != max(batches):
        check(sums.get(time) == so_far, f"sums of batch {time}: {sums.get(time)}, not {so_far}")
    check(so_far == self.written, f"counted {so_far}, not {self.written}")


def stage(source, daemons, programs, tree):
  """What the image is made of, with programs as a build leaves them."""
  shutil.copytree(source / "deploy", tree / "deploy", ignore=shutil.ignore_patterns("secret", ".env"))
  (tree / "scripts").mkdir()
  shutil.copy(source / "scripts/install-deps", tree / "scripts")
  shutil.copy(source / ".dockerignore", tree)
  built = tree / "built"
  (built / "examples").mkdir(parents=True)
  (built / "bin").symlink_to(daemons)
  for program in programs:
    (built / "examples" / program.name).symlink_to(program)
  run([tree / "deploy/collect-programs", tree / "dist", built])
  shutil.rmtree(built)
  secret = tree / "deploy/secret"
  secret.write_text(secrets.token_hex(32) + "\n")
  secret.chmod(0o600)
  os.chown(secret, 1000, 1000)


def check_image(stack):
  user = stack.engine.docker("run", "--rm", "--network", "none", "millrace", "id", "-u").strip()
  check(user == "1000", f"the image runs as user {user}")


def check_names(stack):
  """As prometheus.yml relies on: the service's name has the addresses of all executors."""
  def addresses():
    text = stack.engine.docker("exec", stack.driver(), "getent", "ahostsv4", "executor")
    return {line.split()[0] for line in text.splitlines()}
  eventually("executor has the addresses of all", lambda: len(addresses()) == EXECUTORS)
  check(f"\nmillrace_executors {EXECUTORS}\n" in (stack.get("/metrics") or ""), "/metrics of the driver")


def count_the_source(stack):
  """The word count of the guide, submitted as it says."""
  submission = stack.submit("--deploy-mode", "cluster", "examples/network_word_count", "source", "9999").strip()
  printed = lambda: re.search(r"^\(question,\d+\)$", stack.submit("--logs", submission), re.MULTILINE)
  eventually("words of the source are printed", printed)
  check("KILLED" in stack.submit("--kill", submission, "--wait"), "the word count is not killed")
  print("the words of the source are counted", flush=True)


def count_exactly(stack):
  log = WordLog(stack)
  log.append(200)
  submission = stack.submit("--deploy-mode", "cluster", "--supervise", *CONF, "examples/killed_counts", "/data/log",
                            "/data/checkpoint", "/data/output", str(INTERVAL_MS)).strip()
  log.await_counts("at first")
  docker = stack.engine.docker

  executor = stack.busy_executor()
  log.append(100)
  docker("kill", "--signal", "KILL", executor)
  log.append(100)
  stack.await_executors(EXECUTORS - 1)
  log.await_counts("after an executor was killed")
  stack.up()
  stack.await_executors(EXECUTORS)

  executor = stack.busy_executor()
  log.append(100)
  docker("pause", executor)
  log.append(100)
  stack.await_executors(EXECUTORS - 1)
  log.await_counts("while an executor is paused")
  docker("unpause", executor)
  stack.await_executors(EXECUTORS)
  log.append(100)
  log.await_counts("after it went on")

  executor = stack.busy_executor()
  network = f"{PROJECT}_millrace"
  log.append(100)
  docker("network", "disconnect", network, executor)
  log.append(100)
  stack.await_executors(EXECUTORS - 1)
  log.await_counts("while an executor is cut off")
  docker("network", "connect", network, executor)
  stack.await_executors(EXECUTORS)
  log.append(100)
  log.await_counts("after it is back")

  status = stack.submit("--status", submission)
  check("RUNNING, attempt 1," in status, f"the program did not go on: {status}")

  # As a crash, for Docker does not restart what Docker was told to kill.
  log.append(100)
  os.kill(int(stack.inspect(stack.driver(), "{{.State.Pid}}")), signal.SIGKILL)
  eventually("Docker starts the driver again", lambda: stack.inspect(stack.driver(), "{{.RestartCount}}") == "1")
  stack.await_executors(EXECUTORS)
  log.append(100)
  log.await_counts("after the driver was killed, and its applications with it")

  stack.compose("restart", "driver")
  stack.await_executors(EXECUTORS)
  log.append(100)
  log.await_counts("after the driver was restarted")
  stack.await_healthy()

  check("KILLED" in stack.submit("--kill", submission, "--wait"), "the program is not killed")
  log.check_all()


def packet_filter():
  """Its rules, without comments and counters."""
  return [re.sub(r"\[.*\]", "", line) for line in run(["iptables-save"]).splitlines() if not line.startswith("#")]


def test_isolated(scratch):
  with Engine(scratch) as engine:
    engine.docker("import", scratch / "base.tar", "millrace-base:12")
    stack = Stack(engine, scratch / "tree", "millrace-base:12")
    stack.compose("build")
    check_image(stack)
    try:
      stack.up()
      stack.await_healthy()
      stack.await_executors(EXECUTORS)
      check_names(stack)
      count_the_source(stack)
      count_exactly(stack)
    except Failure:
      with contextlib.suppress(Failure):
        print(stack.describe())
      raise
    stack.compose("down", "--volumes", "--timeout", "5")


def clean_up(scratch, trees):
  remove_cgroups(scratch)
  for tree in trees:
    remove_tree(tree)


def test(source, daemons, programs, scratch):
  scratch.mkdir(parents=True, exist_ok=True)
  # Also what a test that was killed has left.
  trees = [scratch / "tree", scratch / "engine"]
  clean_up(scratch, trees)
  before = links(), packet_filter()
  base_image(source, scratch)
  stage(source, daemons, programs, trees[0])
  try:
    code = run_isolated(__file__, "--isolated", scratch)
  finally:
    clean_up(scratch, trees)
  check((links(), packet_filter()) == before, f"the machine has changed: {links()}, {packet_filter()}")
  return code


def main():
  os.environ["PATH"] += ":/usr/sbin:/sbin"

  def give_up(*_):
    raise Failure(f"not done within {PATIENCE_S} s")
  signal.signal(signal.SIGALRM, give_up)
  signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
  signal.alarm(PATIENCE_S)
  if sys.argv[1] == "--isolated":
    return test_isolated(pathlib.Path(sys.argv[2]))
  source, daemons, *programs, scratch = map(pathlib.Path, sys.argv[1:])
  if missing := missing_programs(PROGRAMS):
    skip(f"there is no {', '.join(missing)}: scripts/install-deps deploy installs them")
  if os.geteuid() != 0:
    skip("an engine of the test's own needs root")
  return test(source, daemons, programs, scratch)


if __name__ == "__main__":
  try:
    sys.exit(main())
  except (Failure, subprocess.TimeoutExpired) as failure:
    sys.exit(f"FAILED: {failure}")
