"""YAML syntax errors in our words, with line and column.

PyYAML's own texts quote the file, and what is quoted may be a password; none of that is passed on.
"""

from __future__ import annotations

import re

import yaml
from yaml.reader import ReaderError

from engine.config.problems import Problem

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_BEGINS_ODDLY = "a value cannot begin with this character; put the value in quotes"
_REFERENCE = "a value that begins with * or & is a YAML reference; put the value in quotes"
_TAGGED = "a value that begins with ! is a YAML tag; put the value in quotes"

# Parts of PyYAML's context and problem, and what they mean to the one who wrote the line. `{line}`
# is where the construct began. The first that fits is taken.
_SENTENCES = (
    (r"found character '\\t'", "a tab cannot indent; use spaces"),
    (r"that cannot start any token", _BEGINS_ODDLY),
    (r"undefined alias|scanning an (?:alias|anchor)|duplicate anchor", _REFERENCE),
    (r"scanning a tag|parsing a tag|tag handle|undefined tag", _TAGGED),
    (
        r"mapping values are not allowed here",
        "a ':' is not allowed here; check the indentation, and put a value that has ': ' in quotes",
    ),
    (
        r"could not find expected ':'",
        "the line {line} is no 'key: value'; a space must follow the colon",
    ),
    (
        r"unknown escape character|escape sequence",
        "in double quotes a backslash begins an escape, and this is none; use single quotes",
    ),
    (r"quoted scalar", "the quoted text that begins on line {line} is not closed"),
    (r"flow sequence", "the list that begins on line {line} is not closed, or lacks a comma here"),
    (
        r"flow mapping",
        "the braces that open on line {line} are not closed, or a comma or quotes are missing here",
    ),
    (
        r"expected <block end>, but found '<scalar>'",
        "something follows a finished value here; check the quotes",
    ),
    (
        r"expected <block end>",
        "this line does not fit what begins on line {line}; check the indentation and the quotes",
    ),
    (r"expected a single document", "a second document begins here; one file is one configuration"),
    (
        r"block sequence entries|sequence entries are not allowed",
        "a list item (-) is not allowed here; check the indentation",
    ),
    (r"scanning a directive|document start", "this line is no 'key: value'"),
    (r"expected the node content", "a value is missing here"),
    (r"block scalar", "what follows | or > is not right; put the text on the next line, indented"),
)


def syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """Describe the error at its line and column."""
    if isinstance(error, ReaderError):
        return _bad_character(error, text, file)
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem(file, "it is not valid YAML")
    mark = error.problem_mark
    began = error.context_mark or mark
    said = f"{error.context or ''}; {error.problem or ''}"
    return Problem(file, _sentence(said, began.line + 1), mark.line + 1, mark.column + 1)


def _sentence(said: str, began: int) -> str:
    for part, sentence in _SENTENCES:
        if re.search(part, said):
            return sentence.format(line=began)
    return f"it is not valid YAML: {_QUOTED.sub('…', said).strip('; ')}"


def _bad_character(error: ReaderError, text: str, file: str) -> Problem:
    before = text[: error.position]
    line = before.count("\n") + 1
    column = error.position - (before.rfind("\n") + 1) + 1
    code = f"U+{ord(text[error.position]):04X}"
    return Problem(file, f"the control character {code} is not allowed in YAML", line, column)
