"""`esaa serve`: the time machine as a page, on this machine alone."""

from __future__ import annotations

import sys

import click

from esaa.cli.face import Face, face_options, pass_face


@click.command()
@click.argument("screen", metavar="[SCREEN]", required=False, default="")
@click.option("--port", type=click.IntRange(0, 65535), default=8321, show_default=True, help="0 takes any free one.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where it listens.")
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@click.option("--allow-actions", is_flag=True, help="Let the page approve, deny, retry and create hotfixes.")
@click.option("--token", metavar="TEXT", help="Who has it may ask (default: a random one; others see arguments).")
@face_options
@pass_face
def serve(face: Face, screen: str, port: int, host: str, opens: bool, allow_actions: bool, token: str | None) -> None:
    """Serve the page of the time machine, and every answer of it as JSON, until it is interrupted.

    Prints the address, with the token that lets one in. Nothing leaves this machine. SCREEN is where to begin, such
    as `log/events?at=79`. Every screen has an address, and `.json` behind its name gives the same answer to a program;
    /openapi.json describes them all.

    Example: esaa serve --open "log/board?at=HEAD~20"
    """
    from functools import partial

    from esaa.errors import NotFound
    from esaa.open import open_machine
    from esaa.web.server import WebServer, is_loopback_host

    root = face.find_root()
    if not (root / ".roadmap").is_dir():
        raise NotFound("WORKSPACE_NOT_FOUND", f"There is no .roadmap/ in {root}.", "Make one with `esaa init`.")
    server = WebServer(
        root,
        partial(open_machine, root),
        host=host,
        port=port,
        token=token,
        allows_actions=allow_actions,
    )
    address = server.address
    if server.page_fault is not None:
        face.warn(f"{server.page_fault} The answers are served as JSON.")
    if not is_loopback_host(host):
        face.warn(f"{host} is reached from other machines, without encryption: whoever sees the token may ask.")
    url = server.link(screen.lstrip("/"))
    face.data({"url": url, "host": address.host, "port": address.port, "token": address.token}, url)
    sys.stdout.flush()  # who reads the address through a pipe waits for it
    face.say("Ctrl-C ends it." if not allow_actions else "Ctrl-C ends it. Who has the address can change things.")
    if opens:
        import webbrowser

        webbrowser.open(url)
    server.serve()
