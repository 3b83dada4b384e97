"""A stand-in for Claude Code that has its tools and none of its care: it does whatever its model asks for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

BREAKING_OUT = """
import urllib.request

kept = []

def act(call):
    path = call["input"]["file_path"]
    try:
        if call["name"] == "Write":
            with open(path, "w") as file:
                file.write(call["input"]["content"])
            return "written"
        with open(path) as file:
            return file.read()
    except OSError as error:
        return "refused: " + str(error)

def keep(told):
    kept.append(told)
    return "done"

def ask(messages):
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in ("Write", "Read")]
    body = {"model": "m", "messages": messages, "tools": tools, "system": "Working directory: " + os.getcwd()}
    request = urllib.request.Request(os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages", json.dumps(body).encode())
    request.add_header("x-api-key", os.environ["ANTHROPIC_API_KEY"])
    return json.load(urllib.request.urlopen(request))

messages = [{"role": "user", "content": sys.stdin.read()}]
while True:
    said = ask(messages)
    calls = [block for block in said["content"] if block["type"] == "tool_use"]
    if not calls:
        break
    messages.append({"role": "assistant", "content": said["content"]})
    for call in calls:
        told = act(call)
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": told}
        messages.append({"role": "user", "content": [result]})
answer = json.loads(said["content"][-1]["text"]) | ({"kept": kept} if kept else {})
print(json.dumps({"type": "result", "subtype": "success", "structured_output": answer, "modelUsage": {}}))
"""


def install_claude(folder: Path, text: str) -> str:
    """Puts a program with these lines into a folder as `claude`; the PATH with that folder before all others."""
    folder.mkdir()
    program = folder / "claude"
    python = os.path.realpath(sys.executable)  # a sandbox shows no environment of ours
    head = f'#!{python}\nimport json, os, sys\nif "--version" in sys.argv:\n    print("2.1.330")\n    sys.exit()\n'
    program.write_text(head + text)
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
