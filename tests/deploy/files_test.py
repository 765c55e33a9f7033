#!/usr/bin/env python3
"""The test `deploy.files`: what can be said of deploy/ without running it.

A file whose tool is not here is named as not checked.

usage: files_test.py SOURCE_DIRECTORY DIRECTORY_OF_DAEMONS
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

from outcome import Failure, check, missing_programs, run

try:
  import yaml
except ImportError:
  yaml = None


def check_compose(source, scratch):
  """docker-compose reads it: keys that it does not know, and references that lead nowhere, are errors."""
  services = run(["docker-compose", "-f", source / "deploy/docker-compose.yml", "config", "--services"]).split()
  for service in ("driver", "executor", "source", "prometheus"):
    check(service in services, f"docker-compose.yml: there is no service {service}")
  # The check itself finds something.
  broken = scratch / "broken.yml"
  broken.write_text((source / "deploy/docker-compose.yml").read_text().replace("healthcheck:", "helthcheck:"))
  done = subprocess.run(["docker-compose", "-f", broken, "config", "-q"], text=True, capture_output=True, check=False)
  check(done.returncode != 0 and "helthcheck" in done.stderr, f"an unknown key passes: {done.stderr}")


def check_prometheus(source, _):
  run(["promtool", "check", "config", source / "deploy/prometheus.yml"])


def check_targets(source, _):
  """Prometheus asks services that there are, on the ports that their daemons have."""
  compose = yaml.safe_load((source / "deploy/docker-compose.yml").read_text())
  served = {name: [flag.removeprefix("--http_port=") for flag in service.get("command", []) if "--http_port=" in flag]
            for name, service in compose["services"].items()}
  asked = set()
  for job in yaml.safe_load((source / "deploy/prometheus.yml").read_text())["scrape_configs"]:
    for config in job.get("static_configs", []):
      asked |= {tuple(target.split(":")) for target in config["targets"]}
    for config in job.get("dns_sd_configs", []):
      asked |= {(name, str(config["port"])) for name in config["names"]}
  check(len(asked) == 2, f"prometheus.yml: asks {asked}, not driver and executors")
  for service, port in asked:
    check(served.get(service) == [port], f"prometheus.yml: asks {service}:{port}, which is not in docker-compose.yml")


def check_units(source, scratch, daemons):
  """As they are installed, but with the daemons that were built here."""
  for unit in sorted((source / "deploy/systemd").glob("*.service")):
    text, count = re.subn(r"(?<==)/usr/local/bin/(?=millrace-)", f"{daemons}/", unit.read_text())
    check(count == 1, f"{unit.name}: starts {count} daemons of /usr/local/bin, not one")
    installed = scratch / unit.name
    installed.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", installed], text=True, capture_output=True, check=False)
    check(done.returncode == 0 and not done.stderr.strip(), f"{unit.name}: {done.stderr}")


def check_flag_files(source, scratch, daemons):
  """Each daemon knows the flags of its file: it gets as far as the secret, which is not there."""
  for name in ("driver", "executor"):
    flags = source / f"deploy/systemd/{name}.flags"
    secret = scratch / "no-secret"
    text = flags.read_text()
    check("--auth_secret_file=/etc/millrace/secret\n" in text, f"{flags}: names no secret")
    copy = scratch / flags.name
    copy.write_text(text.replace("/etc/millrace/secret", str(secret)))
    directory = "--state_dir" if name == "driver" else "--work_dir"
    done = subprocess.run([daemons / f"millrace-{name}", f"--flagfile={copy}", f"{directory}={scratch}/{name}"], text=True,
                          capture_output=True, timeout=30, check=False)
    check(done.returncode == 1 and str(secret) in done.stderr, f"{flags}: {done.stderr}")


def main():
  source = pathlib.Path(sys.argv[1])
  daemons = pathlib.Path(sys.argv[2])
  has = lambda tool: not missing_programs([tool])
  checks = [
      ("docker-compose.yml", "docker-compose", has("docker-compose"), check_compose),
      ("prometheus.yml", "promtool", has("promtool"), check_prometheus),
      ("prometheus.yml against docker-compose.yml", "yaml of Python", yaml is not None, check_targets),
      ("systemd/*.service", "systemd-analyze", has("systemd-analyze"), lambda *where: check_units(*where, daemons)),
      ("systemd/*.flags", "", True, lambda *where: check_flag_files(*where, daemons)),
  ]
  with tempfile.TemporaryDirectory() as scratch:
    for what, tool, is_here, function in checks:
      if not is_here:
        print(f"not checked: deploy/{what}: there is no {tool}")
        continue
      function(source, pathlib.Path(scratch))
      print(f"good: deploy/{what}")


if __name__ == "__main__":
  try:
    main()
  except Failure as failure:
    sys.exit(f"FAILED: {failure}")
