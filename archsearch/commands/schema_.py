"""``archsearch schema``: the language of search spaces as a JSON Schema, for editors."""

import json

from archsearch.space.json_schema import json_schema


def schema_text() -> str:
    """The schema as JSON, a line at its end."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
