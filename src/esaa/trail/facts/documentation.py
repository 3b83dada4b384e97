"""Documents that were written: in the project, and on the wiki."""

from __future__ import annotations

from typing import ClassVar

from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.values import Count
from esaa.trail.facts.wording import counted, line, told


class DocumentationCreated(TrailFact, frozen=True, kw_only=True):
    """A document was written. Recorded by the agent that wrote it, or by the orchestrator.

    Writing it again is safe: it lies at the same path.

    - `doc_type`: what kind of document it is, such as `technical_spec`.
    - `doc_path`: where it lies.
    - `doc_title`: its title.
    - `created_by`: who wrote it.
    - `word_count`: how long it is.
    - `sections`: the titles of its sections.
    - `linked_to_jira`: true where the issue links to it.
    - `synced_to_confluence`: true where the wiki holds a copy.
    """

    is_repeatable: ClassVar[bool] = True
    agent_field: ClassVar[str | None] = "created_by"

    doc_path: str
    doc_type: str | UnsetType = UNSET
    doc_title: str | UnsetType = UNSET
    created_by: str | UnsetType = UNSET
    word_count: Count | UnsetType = UNSET
    sections: tuple[str, ...] | UnsetType = UNSET
    linked_to_jira: bool | UnsetType = UNSET
    synced_to_confluence: bool | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        words = told(" ({})", self.word_count, lambda total: counted(total, "word"))
        return line("document" + told(" {}", self.doc_path) + words + told(": {}", self.doc_title))


class ConfluencePageCreated(TrailFact, frozen=True, kw_only=True):
    """A page of the wiki was written. Recorded by the agent or tool that wrote it.

    Writing it again is safe where the handler looks for the page by space and title first.

    - `page_id`: the wiki's name of the page.
    - `page_url`: its address.
    - `page_title`: its title.
    - `space_key`: the space that it lies in.
    - `parent_page_id`: the page above it.
    - `content_length`: how long it is, in characters.
    - `created_by`: who wrote it.
    - `labels`: its labels.
    - `linked_to_jira`: true where the issue links to it.
    """

    is_repeatable: ClassVar[bool] = True
    agent_field: ClassVar[str | None] = "created_by"

    page_id: str
    page_title: str
    page_url: str | UnsetType = UNSET
    space_key: str | UnsetType = UNSET
    parent_page_id: str | UnsetType | None = UNSET
    content_length: Count | UnsetType = UNSET
    created_by: str | UnsetType = UNSET
    labels: tuple[str, ...] | UnsetType = UNSET
    linked_to_jira: bool | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"wiki page {self.page_id}{told(' in {}', self.space_key)}" + told(": {}", self.page_title))
