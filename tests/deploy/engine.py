"""A container engine of a test's own: dockerd with directories and a socket of its own.

It touches neither packet filter nor routing of the machine: containers reach each other over the bridge of their
network, published ports go through docker-proxy, and nobody reaches the world outside. What it leaves is bridges, and
those are removed.
"""

import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from outcome import Failure, check, eventually, run

PROGRAMS = ("docker", "dockerd", "docker-compose", "debootstrap", "iptables", "ip", "tar")
PR_SET_PDEATHSIG = 1


def end_with_parent():
  """In the child: a test that is killed takes its engine along, and that its containers."""
  ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Engine:

  def __init__(self, scratch):
    self.data = scratch / "engine"
    # Paths of sockets are short.
    self.run_dir = pathlib.Path(tempfile.mkdtemp(prefix="millrace-engine-"))
    self.environment = dict(os.environ, DOCKER_HOST=f"unix://{self.run_dir}/docker.sock", DOCKER_BUILDKIT="0")
    self.log_path = scratch / "dockerd.log"
    self.bridges = set()
    self.process = None

  def __enter__(self):
    remove_tree(self.data)
    self.data.mkdir(parents=True)
    with open(self.log_path, "w", encoding="utf-8") as log:
      self.process = subprocess.Popen(
          ["dockerd", "-H", self.environment["DOCKER_HOST"], "--data-root", self.data, "--exec-root", self.run_dir / "exec",
           "--pidfile", self.run_dir / "pid", "--bridge=none", "--iptables=false", "--ip-masq=false", "--ip-forward=false",
           "--default-ulimit", "nofile=20000:20000", "--shutdown-timeout", "5"],
          stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=end_with_parent)
    try:
      eventually("dockerd serves", self.serves)
    except BaseException:
      self.stop()
      raise
    return self

  def __exit__(self, *_):
    self.stop()

  def log(self):
    return self.log_path.read_text(encoding="utf-8")[-4000:]

  def serves(self):
    if self.process.poll() is not None:
      raise Failure(f"dockerd has ended:\n{self.log()}")
    return subprocess.run(["docker", "info"], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False).returncode == 0

  def docker(self, *arguments, patience_s=60, **options):
    return run(["docker", *arguments], patience_s, env=self.environment, **options)

  def note_bridges(self):
    networks = self.docker("network", "ls", "--filter", "driver=bridge", "--format", "{{.ID}}").split()
    self.bridges |= {f"br-{network[:12]}" for network in networks}

  def stop(self):
    try:
      if self.serves():
        self.note_bridges()
        containers = self.docker("ps", "--all", "--quiet").split()
        if containers:
          self.docker("rm", "--force", "--volumes", *containers)
        self.docker("network", "prune", "--force")
    finally:
      self.process.terminate()
      try:
        self.process.wait(30)
      except subprocess.TimeoutExpired:
        self.process.kill()
        self.process.wait()
      for bridge in self.bridges & links():
        run(["ip", "link", "delete", bridge])
      for tree in (self.data, self.run_dir):
        remove_tree(tree)


def links():
  return set(os.listdir("/sys/class/net"))


def remove_tree(tree):
  """With what is still mounted there, as by an engine that was killed."""
  mounts = [line.split()[1] for line in open("/proc/mounts", encoding="utf-8")]
  for mount in sorted((m for m in mounts if m.startswith(f"{tree}/")), reverse=True):
    run(["umount", "--lazy", mount])
  if tree.exists():
    shutil.rmtree(tree)
  check(not tree.exists(), f"{tree} is still there")


def base_image(source, scratch):
  """A tar file of a Debian 12 with the libraries that programs need, kept for the next time: no image can be pulled."""
  install_deps = source / "scripts/install-deps"
  kept = scratch / "base.tar"
  made_with = scratch / "base.install-deps"
  if kept.exists() and made_with.exists() and made_with.read_bytes() == install_deps.read_bytes():
    return kept
  root = scratch / "base"
  remove_tree(root)
  run(["debootstrap", "--variant=minbase", "bookworm", root], patience_s=300)
  shutil.copy(install_deps, root / "tmp/install-deps")
  run(["chroot", root, "/tmp/install-deps", "run"], patience_s=300)
  for left in ("tmp/install-deps", "var/lib/apt/lists", "var/cache/apt", "usr/share/doc", "usr/share/locale"):
    path = root / left
    path.unlink() if path.is_file() else shutil.rmtree(path)
  (root / "var/cache/apt/archives/partial").mkdir(parents=True)
  (root / "var/lib/apt/lists/partial").mkdir(parents=True)
  run(["tar", "-C", root, "-cf", kept, "."])
  remove_tree(root)
  shutil.copy(install_deps, made_with)
  return kept
