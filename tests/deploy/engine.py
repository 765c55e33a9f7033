"""A container engine of a test's own: dockerd with directories and a socket of its own, in namespaces of the test's own.

So it touches neither packet filter nor routing nor mounts of the machine, gets along with another engine, and ends with
the test, however that ends. Containers reach each other over the bridge of their network, the test reaches published
ports, and nobody reaches the world outside.
"""

import contextlib
import ctypes
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys

from outcome import Failure, eventually, run

PROGRAMS = ("docker", "dockerd", "docker-compose", "debootstrap", "iptables", "ip", "tar", "unshare")
PR_SET_PDEATHSIG = 1


def cgroup_of(scratch):
  """The name of the control group above those of all containers: one for each build directory."""
  return f"millrace_deploy_test_{hashlib.sha256(bytes(scratch)).hexdigest()[:12]}"


def end_with_parent():
  """In a child: a test that is killed takes it along."""
  ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run_isolated(*arguments):
  """Runs a program of Python in namespaces of its own, of network, mounts and processes; its exit code."""
  command = ["unshare", "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child", sys.executable, "-B", *arguments]
  with subprocess.Popen(command, preexec_fn=end_with_parent) as process:
    try:
      return process.wait()
    except BaseException:
      process.kill()
      raise


class Engine:
  """Within run_isolated."""

  def __init__(self, scratch):
    self.directory = scratch / "engine"
    self.log_path = scratch / "dockerd.log"
    self.cgroup = cgroup_of(scratch)
    # Paths of sockets are short; /run is that of this mount namespace.
    self.environment = dict(os.environ, DOCKER_HOST="unix:///run/docker.sock", DOCKER_BUILDKIT="0")
    self.process = None

  def __enter__(self):
    run(["ip", "link", "set", "lo", "up"])
    run(["mount", "-t", "tmpfs", "tmpfs", "/run"])
    self.directory.mkdir()
    with open(self.log_path, "w", encoding="utf-8") as log:
      self.process = subprocess.Popen(
          ["dockerd", "-H", self.environment["DOCKER_HOST"], "--data-root", self.directory, "--exec-root", "/run/docker",
           "--pidfile", "/run/docker.pid", "--bridge=none", "--iptables=false", "--ip-masq=false", "--ip-forward=false",
           "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{self.cgroup}", "--default-ulimit",
           "nofile=20000:20000", "--shutdown-timeout", "5"],
          stdin=subprocess.DEVNULL, stdout=log, stderr=log)
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

  def stop(self):
    """What it does not get done ends with the namespaces."""
    try:
      containers = self.docker("ps", "--all", "--quiet").split()
      if containers:
        self.docker("rm", "--force", "--volumes", *containers)
    finally:
      self.process.terminate()
      try:
        self.process.wait(30)
      except subprocess.TimeoutExpired:
        self.process.kill()


def remove_cgroups(scratch):
  """Of containers whose engine was killed. One that is paused does not even die before it goes on."""
  def ours():
    root = pathlib.Path("/sys/fs/cgroup")
    return [path for hierarchy in ("", "*/") for path in root.glob(f"{hierarchy}{cgroup_of(scratch)}")]

  def are_gone():
    for cgroup in ours():
      for frozen, go_on in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
        for file in cgroup.glob(f"*/{frozen}"):
          file.write_text(go_on)
      for path in [*cgroup.glob("*/"), cgroup]:
        with contextlib.suppress(OSError):
          path.rmdir()
    return not ours()
  eventually("the control groups of the test are removed", are_gone)


def links():
  return set(os.listdir("/sys/class/net"))


def remove_tree(tree):
  """With what is mounted there; whoever writes there still is about to end."""
  with open("/proc/mounts", encoding="utf-8") as file:
    mounts = [line.split()[1] for line in file]
  for mount in sorted((m for m in mounts if m.startswith(f"{tree}/")), reverse=True):
    run(["umount", "--lazy", mount])

  def is_gone():
    shutil.rmtree(tree, ignore_errors=True)
    return not tree.exists()
  eventually(f"{tree} is removed", is_gone)


def base_image(source, scratch):
  """Makes SCRATCH/base.tar, a Debian 12 with the libraries that programs need, and keeps it for the next time: no image
  can be pulled."""
  install_deps = source / "scripts/install-deps"
  kept = scratch / "base.tar"
  made_with = scratch / "base.install-deps"
  if kept.exists() and made_with.exists() and made_with.read_bytes() == install_deps.read_bytes():
    return
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
