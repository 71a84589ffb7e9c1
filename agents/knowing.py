"""Finds tables by what a question's words mean here, and adds that meaning to what was found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from agents.parts import Schema
from tools.catalog import Found
from tools.knowledge import Told
from tools.knowledge_glossary import as_words


class Knowledge(Protocol):
    async def told(self, question: str) -> Told:
        """Return what the question's words mean here, and what is to be heeded."""


@dataclass(frozen=True)
class KnowingSchema:
    """A schema's search that knows a deployment's own words."""

    schema: Schema
    knowledge: Knowledge

    async def find(self, question: str) -> Found:
        """Return what the schema finds for the question and for what its words mean, and these meanings with it."""
        told = await self.knowledge.told(question)
        meant = [as_words(term.meaning) for term in told.said]
        found = await self.schema.find(". ".join([question, *meant]))
        return replace(found, terms=(*told.said, *told.near), instructions=told.instructions)
