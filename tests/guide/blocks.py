"""The C++ blocks of the guide, as README.md here describes them."""

import dataclasses
import re

FRAMES = ("program", "body", "file", "fails")
COMMENT = re.compile(r"<!-- guide: (\w+) (\w+)\n(.*?)-->", re.DOTALL)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OPTION = re.compile(r"(args|send|needs): (.*)")


class GuideError(Exception):
  pass


@dataclasses.dataclass
class Block:
  name: str
  frame: str
  section: str
  code: str
  args: list = dataclasses.field(default_factory=list)
  send: list = dataclasses.field(default_factory=list)
  needs: str = ""
  before: str = ""
  after: str = ""
  output: str = ""


def parse_comment(match, section, code):
  name, frame, rest = match.groups()
  block = Block(name, frame, section, code)
  if frame not in FRAMES:
    raise GuideError(f"{name}: there is no frame {frame}")
  around = []
  for line in rest.splitlines():
    option = OPTION.fullmatch(line)
    if option is None:
      around.append(line)
    elif option[1] == "args":
      block.args = option[2].split()
    elif option[1] == "send":
      block.send.append(option[2])
    else:
      block.needs = option[2]
  split = around.index("...") if "..." in around else len(around)
  block.before = "\n".join(around[:split])
  block.after = "\n".join(around[split + 1:])
  if around and frame in ("program", "fails"):
    raise GuideError(f"{name}: a {frame} block stands alone: {around}")
  if (block.args or block.send) and frame != "program":
    raise GuideError(f"{name}: args and send are for programs")
  if bool(block.needs) != (frame == "fails"):
    raise GuideError(f"{name}: needs belongs to a block that fails, and to no other")
  return block


def read_blocks(path):
  """All C++ blocks, in order."""
  text = path.read_text()
  blocks = []
  section = ""
  end = 0
  awaits_output = False
  for fence in FENCE.finditer(text):
    between = text[end:fence.start()]
    end = fence.end()
    for heading in re.findall(r"^## (.*)$", between, re.MULTILINE):
      section = heading
      awaits_output = False
    comments = list(COMMENT.finditer(between))
    if len(comments) != between.count("<!-- guide"):
      raise GuideError(f"{section}: a comment is not `<!-- guide: NAME FRAME`, a line of its own:\n{between}")
    language, body = fence.groups()
    if language == "cpp":
      if len(comments) != 1 or between[comments[0].end():].strip():
        raise GuideError(f"{section}: one comment `<!-- guide: NAME FRAME` belongs right before:\n{body}")
      blocks.append(parse_comment(comments[0], section, body))
      awaits_output = True
      continue
    if comments:
      raise GuideError(f"{section}: the comment of {comments[0][1]} has no C++ block behind it")
    if language == "text":
      if not awaits_output:
        raise GuideError(f"{section}: no program prints:\n{body}")
      blocks[-1].output = body
      awaits_output = False
  if not blocks:
    raise GuideError("there are no C++ blocks")
  names = [block.name for block in blocks]
  twice = sorted({name for name in names if names.count(name) > 1})
  if twice:
    raise GuideError(f"names that several blocks have: {twice}")
  return blocks
