"""The five-minute story, told by the real commands: a landing page built under governance, and a tampered copy caught.

Run by `make demo`. Needs nothing but the installed package; works in a scratch folder that it names.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ESAA = Path(sys.executable).with_name("esaa")
BOLD, DIM, RED, OFF = ("\033[1m", "\033[2m", "\033[31m", "\033[0m") if sys.stdout.isatty() else ("", "", "", "")
if os.environ.get("NO_COLOR"):
    BOLD = DIM = RED = OFF = ""


def main() -> int:
    root = Path(tempfile.mkdtemp(prefix="esaa-demo-"))
    project = root / "landing"
    project.mkdir()
    environment = os.environ | {"ESAA_CONFIG_DIR": str(root / "config")}

    tell(
        "A project under governance",
        "Nine tasks of a landing page. Recorded agents propose; the orchestrator checks every output",
        "against the contracts in .roadmap/, writes the files, and logs each step.",
    )
    esaa(["init", "--demo", "landing"], project, environment)
    esaa(["run", "--run-id", "RUN-0001", "--issue", "PROJ-123", "--parallel", "2"], project, environment)

    tell(
        "What did not go smoothly, all of it on record",
        "One agent wanted to rewrite its own specification; one review asked for changes;",
        "one defect was found after its task was done, and went through a hotfix.",
    )
    esaa(["log", "--action", "output.rejected"], project, environment)
    esaa(["log", "--action", "review", "--task", "T-2000"], project, environment)
    esaa(["log", "--task", "HF-ISS-0001"], project, environment)

    tell("The proof", "The state is folded again from the log, and everything on disk is compared with it.")
    esaa(["verify", "--strict", "--files"], project, environment)

    tell(
        "The whole story of the issue",
        "Phases, agents, gaps and refusals, told in the audit trail of PROJ-123 by the run itself;",
        "its state at any moment, six measures of its quality, and a report for an auditor.",
    )
    esaa(["state", "--issue", "PROJ-123"], project, environment)
    esaa(["query", "rejected", "--issue", "PROJ-123", "--limit", "3"], project, environment)
    esaa(["trail", "check"], project, environment)
    report = project / "report.html"
    esaa(["audit", "--issue", "PROJ-123", "--format", "html", "--output", str(report)], project, environment)

    hotfix = first_seq(["--action", "hotfix.create"], project, environment)
    refused = first_seq(["--rejections"], project, environment)
    tell("The time machine", "Which event put this task in review, and which rules did it pass?")
    esaa(["blame", "/tasks/T-2010/status"], project, environment)
    tell("", "Why was the write refused, and what came next?")
    esaa(["rejections"], project, environment)
    tell("", "What did the tree look like before the hotfix, and what did the hotfix change?")
    esaa(["checkout", "--at", str(hotfix), str(root / "before")], project, environment)
    esaa(["diff", f"{hotfix}..", "--files", "--path", "src/main.js"], project, environment, expect=1)
    tell("", "Which event was the first after which there was an issue?")
    esaa(["bisect", "--where", "length(issues) == `0`"], project, environment)
    page = project / "run.html"
    is_exported = (
        subprocess.run(
            [ESAA, "export", "--html", "RUN-0001", "--output", str(page), "--quiet"],
            cwd=project,
            env=environment,
            check=False,
        ).returncode
        == 0
    )

    tell("Tampering with a copy", "One word of one event is changed, as someone might who has something to hide.")
    copy = root / "tampered"
    shutil.copytree(project, copy)
    log = copy / ".roadmap" / "activity.jsonl"
    text = log.read_text("utf-8")
    log.write_text(text.replace('"decision":"request_changes"', '"decision":"approve"', 1), "utf-8")
    esaa(["verify", "--explain"], copy, environment, expect=4)

    short = shlex.quote(os.path.relpath(ESAA)) if ESAA.is_relative_to(Path.cwd()) else shlex.quote(str(ESAA))
    where = shlex.quote(str(project))
    tell("Ask it yourself", "Nothing of this writes to the project; `esaa --help` names the other questions.")
    for question, command in (
        ("Where does it stand?", "status"),
        ("What did it look like then?", f"status --at {refused}"),
        ("What changed in between?", f"diff {refused}..{hotfix} --path /tasks/T-2010"),
        ("Which event put it in review?", "blame /tasks/T-2010/status"),
        ("Why was the write refused?", f"why {refused}"),
        ("What would have happened without it?", f"what-if --drop {refused}"),
        ("What was the tree before the hotfix?", f"checkout --at {hotfix} {shlex.quote(str(root / 'then'))}"),
        ("Since when are there issues?", "bisect --where 'length(issues) == `0`'"),
    ):
        print(f"  {DIM}{question}{OFF}\n    {short} --root {where} {command}")
    print(f"\nThe page that was built: {project / 'src' / 'index.html'}")
    print(f"The report of how: {report}")
    print("\nSee it in a browser: this opens the page at the moment when the write was refused, and why.")
    print(f"  {short} --root {where} serve --open 'log/rejections?at={refused}'")
    if is_exported:
        print("The same as one file, which needs no server:")
        print(f"  {page.as_uri()}#/log/rejections?at={refused}")
    verdict = esaa(["verify"], project, environment, is_quiet=True)
    print(verdict.splitlines()[-1])
    return 0


def first_seq(options: list[str], cwd: Path, environment: dict[str, str]) -> int:
    """The number of the first event that `esaa log` names with these options."""
    lines = esaa(["log", *options, "--json"], cwd, environment, is_quiet=True).splitlines()
    number: int = json.loads(lines[0])["event_seq"]
    return number


def tell(title: str, *lines: str) -> None:
    """A heading and what is about to be shown."""
    print(f"\n{BOLD}{title}{OFF}" if title else "")
    for line in lines:
        print(f"{DIM}{line}{OFF}")
    sys.stdout.flush()


def esaa(
    arguments: list[str], cwd: Path, environment: dict[str, str], *, expect: int = 0, is_quiet: bool = False
) -> str:
    """Runs a command for all to see; ends the demo where it does not end as expected."""
    if not is_quiet:
        print(f"\n$ esaa {shlex.join(arguments)}", flush=True)
    output = subprocess.PIPE if is_quiet else None
    done = subprocess.run([ESAA, *arguments], cwd=cwd, env=environment, check=False, stdout=output, text=True)
    if done.returncode != expect:
        print(
            f"{RED}the demo stopped: `esaa {shlex.join(arguments)}` ended with {done.returncode}{OFF}", file=sys.stderr
        )
        sys.exit(1)
    if expect:
        print(f"{DIM}(exit code {done.returncode}){OFF}", flush=True)
    return done.stdout or ""


if __name__ == "__main__":
    sys.exit(main())
