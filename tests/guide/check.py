#!/usr/bin/env python3
"""The `guide` test: runs each block of the guide and compares what it prints.

usage: check.py GUIDE PROGRAM_OF_BLOCKS NUMBER_AT_ONCE COMPILER ARG ...
"""

import concurrent.futures
import difflib
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import blocks
import generate

# Of one block, on a machine that does other things too, with sanitizers.
TIMEOUT_S = 60
BATCH_HEAD = re.compile(r"-{43}\nTime: \d+ ms\n-{43}\n")


def batches_with_records(text):
  """The records of each batch that Print has written, sorted, for behind a shuffle they have no order. Without empty
  batches. None where something else stands."""
  first, *batches = BATCH_HEAD.split(text)
  return None if first else [sorted(records.splitlines()) for records in batches if records.strip()]


class Sender:
  """A TCP server that sends lines to its first peer, and keeps the connection."""

  def __init__(self, lines):
    self.text = "".join(line + "\n" for line in lines)
    self.server = socket.create_server(("127.0.0.1", 0))
    self.port = self.server.getsockname()[1]
    self.peer = None
    self.thread = threading.Thread(target=self.serve, daemon=True)
    self.thread.start()

  def serve(self):
    try:
      self.peer = self.server.accept()[0]
      self.peer.sendall(self.text.encode())
    except OSError:
      pass  # Closed before anybody came, or the peer has gone.

  def close(self):
    self.server.shutdown(socket.SHUT_RDWR)  # Ends accept().
    self.thread.join()
    self.server.close()
    if self.peer is not None:
      self.peer.close()


def read_until(process, is_enough):
  """Standard output until it is enough, or until its end, or for TIMEOUT_S."""
  data = b""
  deadline = time.monotonic() + TIMEOUT_S
  while not is_enough(data.decode(errors="replace")):
    if not select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
      break
    more = os.read(process.stdout.fileno(), 1 << 16)
    if not more:
      break
    data += more
  return data


def run_program(command, block, directory):
  sender = Sender(block.send)
  command += [arg.replace("$PORT", str(sender.port)) for arg in block.args]
  expected = batches_with_records(block.output)
  with subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
    try:
      data = read_until(process, lambda text: bool(expected) and batches_with_records(text) == expected)
      if expected:
        process.send_signal(signal.SIGTERM)
      rest, errors = process.communicate(timeout=TIMEOUT_S)
    finally:
      process.kill()
      sender.close()
  text = (data + rest).decode()
  is_right = batches_with_records(text) == expected if expected else text == block.output
  text = re.sub(BATCH_HEAD.pattern + "\n", "", text)  # An empty batch says nothing.
  return text, process.returncode, errors.decode(), is_right


def run_function(command, directory, block):
  done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=TIMEOUT_S)
  return done.stdout, done.returncode, done.stderr, done.stdout == block.output


def check_run(program, block):
  with tempfile.TemporaryDirectory() as directory:
    command = [program, block.name]
    try:
      if block.frame == "program":
        text, code, errors, is_right = run_program(command, block, directory)
      else:
        text, code, errors, is_right = run_function(command, directory, block)
    except subprocess.TimeoutExpired:
      return f"does not end within {TIMEOUT_S} s"
  if is_right and code == 0:
    return ""
  diff = difflib.unified_diff(block.output.splitlines(True), text.splitlines(True), "the guide", "the program")
  return f"exit code {code}\n{''.join(diff)}{errors}"


def check_fails(compiler, block):
  with tempfile.TemporaryDirectory() as directory:
    path = pathlib.Path(directory, "block.cc")
    path.write_text(generate.source([block]))
    done = subprocess.run(compiler + ["-fsyntax-only", path], capture_output=True, text=True)
  if done.returncode == 0:
    return "compiles, and must not"
  return "" if block.needs in done.stderr else f"does not say `{block.needs}` but\n{done.stderr}"


def main():
  guide, program, at_once, *compiler = sys.argv[1:]
  program = str(pathlib.Path(program).resolve())
  try:
    all_blocks = blocks.read_blocks(pathlib.Path(guide))
  except blocks.GuideError as error:
    sys.exit(f"{guide}: {error}")
  with concurrent.futures.ThreadPoolExecutor(int(at_once)) as pool:
    failures = list(
        pool.map(lambda b: check_fails(compiler, b) if b.frame == "fails" else check_run(program, b), all_blocks))
  for block, failure in zip(all_blocks, failures):
    if failure:
      print(f"{block.section}: {block.name}: {failure}\n")
  print(f"{len(all_blocks)} blocks, {sum(map(bool, failures))} of them wrong")
  sys.exit(any(failures))


if __name__ == "__main__":
  main()
