"""The OpenAPI document of the server, made from the questions and the Structs that it really uses."""

from __future__ import annotations

from typing import Any

import msgspec

from esaa.runtime.history.views import Overview
from esaa.version import __version__
from esaa.web import actions, note_routes, tail
from esaa.web.faults import Fault
from esaa.web.parameters import Parameter
from esaa.web.questions import QUESTIONS
from esaa.web.served import ServerView

_REF = "#/components/schemas/{name}"
_JSON = "application/json"
_PAST = {
    "name": "past",
    "in": "path",
    "required": True,
    "description": "`log`, `global`, or the key of an issue.",
    "schema": {"type": "string", "pattern": "^(log|global|[A-Z][A-Z0-9_]{0,31}-[0-9]{1,10})$"},
}
_NOTE_ID = {
    "name": "note_id",
    "in": "path",
    "required": True,
    "description": "Chosen by who makes the note.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
}
_APPROVAL_ID = {
    "name": "approval_id",
    "in": "path",
    "required": True,
    "description": "Names a request of `/approvals.json`.",
    "schema": {"type": "string", "pattern": "^AP-[0-9a-f]{10}$"},
}
_HEAD = {
    "name": "head",
    "in": "query",
    "required": False,
    "description": "The hash of the head: the answer is kept by who asks, as long as that is the head.",
    "schema": {"type": "string", "maxLength": 200},
}


def document() -> dict[str, Any]:
    """The whole document."""
    answers = [Overview, ServerView, Fault, note_routes.NotesView, note_routes.NoteView, note_routes.NoteBody]
    answers += [one.answer for one in QUESTIONS]
    answers += [body for body, _ in actions.BODIES.values()]
    shapes, components = msgspec.json.schema_components(answers, ref_template=_REF)
    of = dict(zip(answers, shapes, strict=True))
    faults = {status: _response(of[Fault], about) for status, about in _FAULTS.items()}

    def read(about: str, shape: dict[str, Any], parameters: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "get": {"summary": about, "parameters": parameters, "responses": {"200": _response(shape, about), **faults}}
        }

    paths: dict[str, Any] = {
        "/index.json": read("Everything that has a past, and the runs.", of[Overview], []),
        "/server.json": read("What this server is.", of[ServerView], []),
        "/notes.json": read("All notes and bookmarks.", of[note_routes.NotesView], []),
        "/approvals.json": read("What waits for a person.", {"type": "array", "items": {"type": "object"}}, []),
        "/approvals/{approval_id}.json": read("What a request is about.", {"type": "object"}, [_APPROVAL_ID]),
        "/{past}/notes.json": read("The notes of a past.", of[note_routes.NotesView], [_PAST]),
        "/{past}/notes/{note_id}.json": _note(of, faults),
        "/{past}/tail": _tail(faults),
    }
    for one in QUESTIONS:
        path = f"/{{past}}/{one.screen}.json" if one.screen else "/{past}.json"
        paths[path] = read(one.about, of[one.answer], [_PAST, *map(_parameter, one.parameters), _HEAD])
    for name, (body, about) in actions.BODIES.items():
        paths[f"/actions/{name}.json"] = {
            "post": {
                "summary": about,
                "requestBody": _body(of[body]),
                "responses": {"200": _response({"type": "object"}, about), **faults},
            }
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "esaa serve",
            "version": __version__,
            "description": "The time machine. Every answer is what the command line prints with `--json`.",
        },
        "security": [{"token": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "esaa_token_PORT"},
            },
        },
    }


_FAULTS = {
    "400": "The question cannot be answered as it was put.",
    "403": "Not from here, or not without the token.",
    "404": "There is no such thing.",
    "409": "Someone else was first.",
    "503": "The log cannot be read now, or its index is being built.",
}


def _response(shape: dict[str, Any], about: str) -> dict[str, Any]:
    return {"description": about, "content": {_JSON: {"schema": shape}}}


def _body(shape: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {_JSON: {"schema": shape}}}


def _parameter(one: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": one.name,
        "in": "query",
        "required": one.is_required,
        "description": one.about,
        "schema": one.schema(),
    }
    return found if one.example is None else found | {"example": one.example}


def _note(of: dict[Any, dict[str, Any]], faults: dict[str, Any]) -> dict[str, Any]:
    return {
        "parameters": [_PAST, _NOTE_ID],
        "put": {
            "summary": "Keeps a note or a bookmark.",
            "requestBody": _body(of[note_routes.NoteBody]),
            "responses": {"200": _response(of[note_routes.NoteView], "The note as it is kept."), **faults},
        },
        "delete": {
            "summary": "Forgets a note.",
            "responses": {"200": _response({"type": "object"}, "It is gone."), **faults},
        },
    }


def _tail(faults: dict[str, Any]) -> dict[str, Any]:
    heard = {"name": "Last-Event-ID", "in": "header", "required": False, "schema": {"type": "string"}}
    about = "The events as they come: `entry`, `reset`, `problem`, `ready`."
    return {
        "get": {
            "summary": about,
            "parameters": [_PAST, *map(_parameter, tail.PARAMETERS), heard],
            "responses": {
                "200": {"description": about, "content": {"text/event-stream": {"schema": {"type": "string"}}}},
                **faults,
            },
        }
    }
