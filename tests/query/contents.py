"""Everything that an index holds, in terms that don't depend on how it came to hold it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from esaa.query.slots import TIE_BITS
from esaa.stores.trail import TrailStore


def contents(store: TrailStore) -> dict[str, Any]:
    """Rows, tallies, cursors and the postings of the full-text index, by names instead of numbers."""
    with closing(sqlite3.connect(store.disposable("index.sqlite"))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.execute("INSERT INTO search(search) VALUES ('integrity-check')")
        connection.execute("CREATE VIRTUAL TABLE temp.postings USING fts5vocab(main, search, 'instance')")
        names = dict(connection.execute("SELECT id, name FROM names").fetchall())
        streams = dict(connection.execute("SELECT id, name FROM streams").fetchall())
        segments = dict(connection.execute("SELECT id, path FROM segments").fetchall())
        abouts = {
            number: tuple(names.get(one, "") for one in about)
            for number, *about in connection.execute("SELECT id, type, actor, phase, agent FROM abouts")
        }
        tokens = {f"i{number}": name for number, name in streams.items()}
        tokens |= {f"n{number}": name for number, name in names.items()}
        tokens |= {f"b{number}": about for number, about in abouts.items()}
        rows: dict[int, tuple[Any, ...]] = {}
        for row in connection.execute("SELECT * FROM events"):
            number, stream, sequence, about, session, *keys, segment, start, length, odd_ts = row
            place = (segments[segment], start, length, odd_ts)
            rows[number] = (
                *(number >> TIE_BITS, streams[stream], sequence, abouts[about], names[session], tuple(keys)),
                *place,
            )
        postings = sorted(
            (rows[number][1:3], column, str(tokens[term]) if column == "facets" else term, offset)
            for term, number, column, offset in connection.execute("SELECT term, doc, col, offset FROM postings")
        )
        cursors = connection.execute(
            "SELECT name, sequence, leaf, segment, start, length, end_path, size, mtime, inode, events FROM streams"
        )
        return {
            "rows": sorted(rows.values(), key=str),
            # The tokens of one event stand in an order that the numbers of names decide.
            "facets": sorted(one[:3] for one in postings if one[1] == "facets"),
            "words": [one for one in postings if one[1] == "words"],
            "cursors": sorted((row[0], *row[1:3], segments.get(row[3]), *row[4:]) for row in cursors),
            "names": sorted(connection.execute("SELECT field, name, events FROM names")),
            "abouts": sorted(
                (abouts[number], events) for number, events in connection.execute("SELECT id, events FROM abouts")
            ),
            "segments": sorted(connection.execute("SELECT path, kind, first FROM segments")),
        }
