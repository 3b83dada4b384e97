"""`esaa prompt`: what would be said to a model about a task, word for word."""

from __future__ import annotations

import click

from esaa.cli.face import Face, face_options, pass_face
from esaa.errors import NotFound, UsageError


@click.command()
@click.argument("task")
@click.option("--actor", metavar="NAME", help="Ask this actor instead of the one whose turn it is.")
@click.option(
    "--template", "shows_template", is_flag=True, help="Print the template in force, to begin an own one from."
)
@face_options
@pass_face
def prompt(face: Face, task: str, actor: str | None, shows_template: bool) -> None:
    """Print the prompt that a model would get for a task: profile, template and purified context, rendered.

    Nothing is sent, and nothing is recorded. With --json the digest, the token estimate and the schema of the wanted
    answer are there too. Where PROMPT_TEMPLATE.NAME.md lies in .roadmap, it takes the place of the shipped template.

    Example: esaa prompt T-1000 --json
    """
    import json

    import msgspec

    from esaa.cli.reading import near_task
    from esaa.protocol.context_budget import text_tokens
    from esaa.protocol.scheduling import order_for
    from esaa.runtime.briefing import dispatch_of, template_of

    workspace = face.workspace()
    state, rules = workspace.state(), workspace.rules
    found = state.task(task)
    if found is None:
        raise NotFound("TASK_NOT_FOUND", f"There is no task {task!r}.", near_task(task, state))
    order = order_for(found, state, rules)
    if order is None:
        raise UsageError("NOTHING_TO_ASK", f"{task} is {found.status}: nobody is asked about it.", "See `esaa status`.")
    if actor is not None:
        if actor not in rules.swarm.actors:
            known = ", ".join(rules.swarm.actors)
            raise NotFound("ACTOR_UNKNOWN", f"There is no actor {actor!r}.", f"agents_swarm.yaml registers: {known}.")
        order = msgspec.structs.replace(order, actor=actor)
    template = template_of(workspace, order)
    if shows_template:
        text = f"version: {template.version}\n=== system\n{template.system}\n=== user\n{template.user}\n"
        face.data(template, *text.splitlines())
        return
    dispatch = dispatch_of(workspace, order, timeout_s=0)
    assert dispatch.prompt is not None, "a prompt was asked for"
    said = dispatch.prompt
    tokens = text_tokens(said.system, said.user)
    answer = {
        **msgspec.to_builtins(said),
        "actor": order.actor,
        "action": order.action,
        "tokens_estimated": tokens,
        "tokens_max": rules.runtime.context.tokens_max,
        "left_out": json.loads(dispatch.context)["left_out"],
        "schema": json.loads(dispatch.schema),
    }
    face.data(answer, "# system", "", *said.system.splitlines(), "", "# user", "", *said.user.splitlines())
    face.say(
        f"{said.template} {said.template_version[:12]} for {order.actor}: about {tokens} tokens, sha256 {said.sha256}"
    )
