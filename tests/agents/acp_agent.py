"""A small ACP agent for tests, on the standard library alone: it plays the script that its first argument names.

It speaks the protocol by hand, so it shares no code with our side, and it can break the protocol wherever a test asks.
Its second argument is a file to which it appends what it saw, as lines of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


class Agent:
    def __init__(self, script: str, diary: Path) -> None:
        self.script = script
        self.diary = diary
        self.cwd = ""
        self.model = "plain"
        self.prompt = ""
        self._requests = 1000

    def note(self, what: Any) -> None:
        with self.diary.open("a") as file:
            file.write(json.dumps(what) + "\n")

    def send(self, message: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """A request to the client; its response as it is."""
        self._requests += 1
        self.send({"id": self._requests, "method": method, "params": {"sessionId": "s1", **params}})
        for line in sys.stdin:
            message: dict[str, Any] = json.loads(line)
            if message.get("id") == self._requests and "method" not in message:
                self.note({"asked": method, "got": message.get("result", message.get("error"))})
                return message
        sys.exit(3)

    def update(self, **update: Any) -> None:
        self.send({"method": "session/update", "params": {"sessionId": "s1", "update": update}})

    def say(self, text: str) -> None:
        self.update(sessionUpdate="agent_message_chunk", content={"type": "text", "text": text})

    def tool(self, number: str, kind: str = "edit", **more: Any) -> None:
        self.update(sessionUpdate="tool_call", toolCallId=number, title=kind, kind=kind, **more)

    def permission(
        self, number: str, kinds: tuple[str, ...] = ("allow_always", "allow_once", "reject_once"), **call: Any
    ) -> str:
        """What was chosen: an option's kind, or `cancelled`."""
        options = [{"optionId": f"o-{kind}", "name": kind, "kind": kind} for kind in kinds]
        got = self.ask("session/request_permission", toolCall={"toolCallId": number, **call}, options=options)
        outcome = got["result"]["outcome"]
        return str(outcome.get("optionId", outcome["outcome"])).removeprefix("o-")

    def path(self, name: str) -> str:
        return os.path.join(self.cwd, name)

    def write(self, name: str, content: str) -> dict[str, Any]:
        return self.ask("fs/write_text_file", path=self.path(name), content=content)

    def read(self, name: str, **more: Any) -> dict[str, Any]:
        return self.ask("fs/read_text_file", path=self.path(name), **more)

    def complete(self, **more: Any) -> None:
        event = {"action": "complete", "task_id": "T-1", "verification": {"checks": ["it was run"]}}
        self.say(json.dumps({"activity_event": event, **more}))

    def run(self) -> None:
        for line in sys.stdin:
            message = json.loads(line)
            method, number, params = message.get("method"), message.get("id"), message.get("params") or {}
            if method == "initialize":
                self.initialize(number, params)
            elif method == "authenticate":
                self.note({"authenticated": params["methodId"]})
                self.send({"id": number, "result": {}})
            elif method == "session/new":
                self.open(number, params)
            elif method == "session/set_config_option":
                self.choose(number, params)
            elif method == "session/prompt":
                self.prompt = "\n".join(block["text"] for block in params["prompt"])
                self.note({"prompt": [block["text"] for block in params["prompt"]]})
                result = getattr(self, self.script)() or {}
                if "error" in result:
                    self.send({"id": number, "error": result["error"]})
                else:
                    self.send({"id": number, "result": {"stopReason": "end_turn", **result}})

    def initialize(self, number: int, params: dict[str, Any]) -> None:
        self.note({"capabilities": params["clientCapabilities"], "environment": dict(os.environ)})
        if self.script == "noise":
            print("Loading the model, please wait ...")
            print('["not", "an", "object"]', flush=True)
        if self.script == "dies":
            print("the licence has run out", file=sys.stderr)
            sys.exit(7)
        if self.script == "silent":
            time.sleep(60)
        version = 9 if self.script == "new_protocol" else 1
        info = {"name": "test-agent", "version": "1.2.3"}
        methods = [{"id": "oauth", "name": "Log in by browser"}, {"id": "gemini-api-key", "name": "A key"}]
        self.send({"id": number, "result": {"protocolVersion": version, "agentInfo": info, "authMethods": methods}})

    def open(self, number: int, params: dict[str, Any]) -> None:
        if self.script == "opens_nothing":
            time.sleep(60)
        if self.script == "logged_out":
            self.send({"id": number, "error": {"code": -32000, "message": "Authentication required"}})
            return
        self.cwd = params["cwd"]
        options: list[dict[str, Any]] = []
        if self.script == "chooses":
            values = [{"value": name, "name": name} for name in ("plain", "grand")]
            options = [
                {
                    "id": "m",
                    "name": "Model",
                    "category": "model",
                    "type": "select",
                    "currentValue": "plain",
                    "options": values,
                }
            ]
        self.send({"id": number, "result": {"sessionId": "s1", "configOptions": options}})

    def choose(self, number: int, params: dict[str, Any]) -> None:
        if params["value"] not in ("plain", "grand"):
            self.send({"id": number, "error": {"code": -32602, "message": "no such model"}})
            return
        self.model = params["value"]
        self.send({"id": number, "result": {"configOptions": []}})

    # The scripts. What one returns is merged into the response to the prompt.

    def writes(self) -> dict[str, Any]:
        self.say("I shall write the file.")
        self.tool("t1")
        self.note({"read": self.read("src/old.py")["result"]["content"]})
        self.write("src/new.py", "print('new')\n")
        self.note({"read": self.read("src/new.py")["result"]["content"]})
        self.note({"own eyes": Path(self.path("src/new.py")).read_text()})
        self.complete()
        self.update(sessionUpdate="usage_update", used=10, size=200000, cost={"amount": 0.0125, "currency": "USD"})
        return {"usage": {"totalTokens": 1130, "inputTokens": 100, "outputTokens": 30, "cachedReadTokens": 1000}}

    def edits_alone(self) -> None:
        """Changes files by itself, without asking anybody."""
        Path(self.path("src/old.py")).write_text("print('changed')\n")
        self.complete()

    def looks(self) -> None:
        files = [path for path in Path(self.cwd).rglob("*") if path.is_file()]
        self.note({"tree": sorted(str(path.relative_to(self.cwd)) for path in files)})
        self.complete()

    def goes_out(self) -> None:
        outside = str(self.diary.parent / "outside.txt")
        os.symlink(self.diary.parent, self.path("src/out"))
        os.makedirs(self.path(".roadmap"), exist_ok=True)
        self.note(
            [
                "error" in self.ask("fs/write_text_file", path=outside, content="x"),
                "error" in self.ask("fs/read_text_file", path=str(self.diary)),
                "error" in self.write("../escaped.txt", "x"),
                "error" in self.write("src/out/through.txt", "x"),
                "error" in self.read(f"src/out/{self.diary.name}"),
                "error" in self.write(".roadmap/activity.jsonl", "x"),
                "error" in self.write(".git/hooks/pre-commit", "x"),
                "error" in self.write("docs/spec.md", "x"),
                "error" in self.read(".roadmap/activity.jsonl"),
                "error" in self.read("secrets.env"),
                "error" in self.ask("fs/write_text_file", path=5),
                "error" in self.ask("terminal/create", command="sh"),
                "error" in self.ask("no/such"),
            ]
        )
        self.complete()

    def asks(self) -> None:
        self.tool("t1", locations=[{"path": self.path("src/new.py")}])
        self.note(
            {
                "edit told before": self.permission("t1"),
                "edit elsewhere": self.permission("t2", kind="edit", locations=[{"path": "/etc/passwd"}]),
                "edit of a diff": self.permission(
                    "t3", kind="edit", content=[{"type": "diff", "path": self.path("src/a.py"), "newText": "x"}]
                ),
                "edit forbidden": self.permission(
                    "t4", kind="edit", locations=[{"path": self.path(".roadmap/roadmap.json")}]
                ),
                "edit of what": self.permission("t5", kind="edit"),
                "one good, one bad": self.permission(
                    "t6", kind="edit", locations=[{"path": self.path("src/a.py")}, {"path": self.path("docs/a.md")}]
                ),
                "read": self.permission("t7", kind="read", locations=[{"path": self.path("docs/spec.md")}]),
                "read log": self.permission(
                    "t8", kind="read", locations=[{"path": self.path(".roadmap/activity.jsonl")}]
                ),
                "delete": self.permission("t9", kind="delete", locations=[{"path": self.path("src/old.py")}]),
                "execute": self.permission("t10", kind="execute"),
                "fetch": self.permission("t11", kind="fetch"),
                "switch_mode": self.permission("t12", kind="switch_mode"),
                "think": self.permission("t13", kind="think"),
                "no kind": self.permission("t14"),
                "only always": self.permission("t15", ("allow_always", "reject_always"), kind="think"),
            }
        )
        self.complete()

    def chunks(self) -> None:
        self.say("Thinking about it.")
        self.tool("t1", "read")
        text = json.dumps({"activity_event": {"action": "claim", "task_id": "T-1"}})
        for start in range(0, len(text), 7):
            self.say(text[start : start + 7])

    def asks_and_answers(self) -> None:
        """As Gemini CLI: a tool call is first heard of when it is asked about."""
        self.say("I write the file.")
        self.permission("t1", kind="edit", locations=[{"path": self.path("src/a.py")}])
        self.complete()

    def answers_then_works(self) -> None:
        self.complete()
        self.tool("t1", "think")

    def fenced(self) -> None:
        self.say('Done.\n\n```json\n{"activity_event": {"action": "claim", "task_id": "T-1"}}\n```\n')

    def prose(self) -> None:
        self.say("I am done, the file is written.")

    def claims_and_writes(self) -> None:
        Path(self.path("src/new.py")).write_text("x\n")
        self.say('{"activity_event": {"action": "claim", "task_id": "T-1"}}')

    def writes_and_declares(self) -> None:
        self.write("src/a.py", "one\n")
        self.write("src/b.py", "two\n")
        same = {"path": "src/a.py", "content": "one\n"}
        other = {"path": "src/b.py", "content": "three\n"}
        self.complete(file_updates=[same, other])

    def environment(self) -> None:
        self.complete()

    def chooses(self) -> None:
        self.note({"model": self.model})
        self.complete()

    noise = environment

    def tells_its_key(self) -> None:
        self.say(f"My key is {os.environ['TEST_KEY']}.")

    def dies_of_its_key(self) -> None:
        print(f"the key {os.environ['TEST_KEY']} is bad", file=sys.stderr)
        sys.exit(1)

    def nonsense(self) -> None:
        """Messages that are no ACP, between good ones."""
        self.send({"method": "session/update", "params": {"sessionId": "s1", "update": {"sessionUpdate": "nothing"}}})
        self.send({"method": "session/update", "params": [1, 2]})
        self.send({"method": "_vendor/thing", "params": {}})
        self.send({"method": "elicitation/complete", "params": {}})
        self.send({"id": 99_999, "result": {}})
        self.send({"id": 5})
        self.complete()

    def refuses(self) -> dict[str, Any]:
        self.say("I will not.")
        return {"stopReason": "refusal", "usage": {"totalTokens": 12, "inputTokens": 10, "outputTokens": 2}}

    def cut(self) -> dict[str, Any]:
        self.say('{"activity_event": {"acti')
        return {"stopReason": "max_tokens"}

    def fails(self) -> dict[str, Any]:
        return {"error": {"code": -32603, "message": "Internal error", "data": {"details": "the model is overloaded"}}}

    def bad_response(self) -> dict[str, Any]:
        return {"stopReason": "when it pleases me"}

    def key_expired(self) -> dict[str, Any]:
        return {"error": {"code": -32000, "message": "Authentication required"}}

    def quota(self) -> dict[str, Any]:
        self.complete()
        one = {"input_tokens": 7, "output_tokens": 1}
        two = {"input_tokens": 30, "output_tokens": 9}
        usage = [{"model": "small", "token_count": one}, {"model": "large", "token_count": two}]
        return {"_meta": {"quota": {"token_count": {"input_tokens": 37, "output_tokens": 10}, "model_usage": usage}}}

    def dies_in_the_turn(self) -> None:
        self.say("Let me")
        print("out of memory", file=sys.stderr)
        sys.exit(9)

    def hangs(self) -> None:
        child = subprocess.Popen(["sleep", "300"], start_new_session=True)
        self.note({"child": child.pid, "me": os.getpid(), "tree": self.cwd})
        time.sleep(300)

    def floods(self) -> None:
        while True:
            self.say("x" * 10_000)

    def one_endless_line(self) -> None:
        while True:
            sys.stdout.write("x" * 65536)

    def reads_without_end(self) -> None:
        """Asks for a large file again and again, and never takes an answer."""
        Path(self.path("src/large.txt")).write_text("x" * 90_000)
        while True:
            self._requests += 1
            params = {"sessionId": "s1", "path": self.path("src/large.txt")}
            self.send({"id": self._requests, "method": "fs/read_text_file", "params": params})

    def deletes_its_tree(self) -> None:
        import shutil

        self.complete()
        shutil.rmtree(self.cwd)

    def parts(self) -> None:
        self.write("src/lines.txt", "one\ntwo\nthree\n")
        self.note(
            [
                self.read("src/lines.txt", line=2)["result"]["content"],
                self.read("src/lines.txt", line=2, limit=1)["result"]["content"],
                self.read("src/lines.txt", line=9)["result"]["content"],
                self.read("src/absent.txt")["error"]["code"],
            ]
        )
        self.complete()


if __name__ == "__main__":
    Agent(sys.argv[1], Path(sys.argv[2])).run()
