"""`esaa dev`: tools for developers and tests."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from esaa.cli.face import Face, FaceGroup, face_options, pass_face


@click.group(cls=FaceGroup)
@face_options
def dev() -> None:
    """Tools for developers and tests. They are no part of a run.

    Example: esaa dev fake-llm --port 8100
    """


@dev.command(name="fake-llm")
@click.option("--script", "script_file", type=click.Path(path_type=Path), help="YAML rules of what is answered.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="a free one", help="Where it listens.")
@face_options
@pass_face
def fake_llm(face: Face, script_file: Path | None, port: int) -> None:
    """Serve the APIs of Anthropic, OpenAI and Google on this machine alone, and answer without a model.

    Without a script it reads the context in a prompt of esaa and obeys: it claims, delivers placeholders, and approves.
    A script holds `rules`, tried in their order. Each has `when` (api, model, task_id, action, attempt, contains),
    `times`, `wait_s`, `status` with `retry_after_s`, `fault` (never, cut, truncated, half, prose, fenced, garbage,
    empty, refusal, flood) and `turns` (text, json, or calls of the client's tools). `hand_in: tools` delivers files
    through the client's own tools; `key` is the only API key that is taken.

    Prints the variables that lead the SDKs and the CLIs to it, then serves until it is interrupted.

    Example: esaa dev fake-llm --script rules.yaml --port 8100
    """
    from esaa.dev.fake_llm.script import Script, read_script
    from esaa.dev.fake_llm.server import FakeLlm
    from esaa.errors import NotFound
    from esaa.kernel.ingest import CONTRACT, NotIngested
    from esaa.stores.outside import read_placed

    script = Script()
    if script_file is not None:
        try:
            script = read_script(read_placed(script_file, CONTRACT), script_file.name)
        except (OSError, NotIngested) as error:
            text = f"The script {script_file} cannot be read: {error}."
            raise NotFound("SCRIPT_NOT_FOUND", text, "Give the path of a YAML file.") from error
    with FakeLlm(script, port, on_seen=lambda seen: face.say(seen.line())) as fake:
        variables = fake.environment()
        # Who reads the variables through a pipe waits for them.
        face.data(variables, *(f"export {name}={value}" for name, value in variables.items()))
        sys.stdout.flush()
        fake.wait()
