"""The tables of the log's index: events by seq, and the parts of the state by part and seq.

Events are numbered by their seq. A *part* has a number of its own: that of its member above `MEMBER_BITS`, and below
it its place among the parts of that member, in the order in which they first were there. A *version* is the value of a
part from a seq on. What lies between two moments is found by *blocks* of events: at the end of each one it is kept
which parts are in which group (tasks by status), and which parts its events changed.

What is measured is kept too: the *spans* of a task after each event that changed them (a task is numbered by the event
in which it was first seen), since when it is done and what it took by then, and now and then the *sums* of the run that
goes on.
"""

from __future__ import annotations

from esaa.history.log_document import MEMBERS

INDEX = "history.db"
SCHEMA_VERSION = 3
"""Raised with every change of the tables, or of what is written into them."""

BLOCK = 4096
"""So many events are one block; block 0 holds the seqs 1 to 4096."""

MEMBER_BITS = 40
NUMBER_OF = {member: number for number, member in enumerate(MEMBERS)}

NAME, ACTOR, LABEL, SUBJECT, RUN = range(1, 6)
"""What a row of `names` names: an event's name, an actor, a text that many events share, a subject, a run."""
GROUP = 8
"""Above this a row of `names` names a group of the parts of a member."""

TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE names(id INTEGER PRIMARY KEY, kind INTEGER, name TEXT, UNIQUE(kind, name));
CREATE TABLE events(
    seq INTEGER PRIMARY KEY, start INTEGER, length INTEGER, ts INTEGER, name INTEGER, actor INTEGER, label INTEGER,
    subject INTEGER, cause INTEGER, key INTEGER);
CREATE TABLE parts(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE versions(
    part INTEGER, seq INTEGER, grp INTEGER, value BLOB, PRIMARY KEY(part, seq)) WITHOUT ROWID;
CREATE TABLE abouts(task TEXT, issue INTEGER, PRIMARY KEY(task, issue)) WITHOUT ROWID;
CREATE TABLE blocks(block INTEGER PRIMARY KEY, earliest INTEGER);
CREATE TABLE facets(name INTEGER, block INTEGER, bits BLOB, PRIMARY KEY(name, block)) WITHOUT ROWID;
CREATE TABLE standings(block INTEGER, grp INTEGER, bits BLOB, PRIMARY KEY(block, grp)) WITHOUT ROWID;
CREATE TABLE changed(block INTEGER, member INTEGER, bits BLOB, PRIMARY KEY(block, member)) WITHOUT ROWID;
CREATE TABLE timed(first INTEGER PRIMARY KEY, done INTEGER, spent INTEGER, name TEXT UNIQUE);
CREATE TABLE spans(
    first INTEGER, seq INTEGER, created INTEGER, begun INTEGER, status INTEGER, attempts INTEGER, rejections INTEGER,
    waiting INTEGER, working INTEGER, review INTEGER, since INTEGER, total INTEGER, PRIMARY KEY(first, seq)
) WITHOUT ROWID;
CREATE TABLE sums(seq INTEGER PRIMARY KEY, run INTEGER, value BLOB);
CREATE INDEX sums_run ON sums(run, seq);
CREATE INDEX parts_name ON parts(name);
CREATE VIRTUAL TABLE search USING fts5(
    words, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE labels USING fts5(
    words, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2');
"""
LATER = """
CREATE INDEX IF NOT EXISTS events_subject ON events(subject) WHERE subject IS NOT NULL;
CREATE INDEX IF NOT EXISTS events_cause ON events(cause) WHERE cause IS NOT NULL;
CREATE INDEX IF NOT EXISTS events_key ON events(key) WHERE key IS NOT NULL;
CREATE INDEX IF NOT EXISTS versions_seq ON versions(seq, part, grp);
"""
"""What is made at once when the tables are full: an index that is sorted is made faster than one that is kept."""


def part_number(member: str, place: int) -> int:
    """The number of a part."""
    return NUMBER_OF[member] << MEMBER_BITS | place


def parts_of(member: str) -> tuple[int, int]:
    """The first and the last number that the parts of a member can have."""
    number = NUMBER_OF[member]
    return number << MEMBER_BITS, (number + 1 << MEMBER_BITS) - 1


def place_of(part: int) -> int:
    """The place of a part among those of its member."""
    return part & (1 << MEMBER_BITS) - 1
