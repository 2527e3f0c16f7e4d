"""Skills of our own, in the style of those that people share, and the ways to hand them in."""
# ruff: noqa: RUF001 - Chinese has commas of its own

from __future__ import annotations

from collections.abc import Mapping

from zips import Entry, pack

RETURNS = """---
name: Customer Return Processing
description: Standard process for returns and exchanges. Use it when a customer wants to send something back.
---

# Customer Return Processing

1. Verify the customer's identity by order number and postcode.
2. Look up the order, and whether it is inside the 30 days.
3. Recommend pickup service for parcels over 10 kg.

## Exceptions

- Opened software is exchanged, never refunded. See `references/policy.md`.
"""

PDF_FORMS = """---
name: pdf-forms
description: Fill in PDF forms and check what was filled in. Use when the user has a form (AcroForm or scanned).
license: Apache-2.0
compatibility: Needs Python 3.11 and pypdf
allowed-tools: Bash(python:*) Read
metadata:
  author: example-org
  version: "1.10"
---
# PDF forms

Run `python scripts/fields.py form.pdf` first, and read [the field types](references/fields.md).

```bash
# not a heading: a comment in a program
python scripts/fill.py form.pdf values.json
```

## Scanned forms
Convert each page to an image, then place text by coordinates.
"""

RELEASE_NOTES = """---
name: release-notes
description: >
  Write release notes from a list of commits:
  what changed for users, what breaks, and how to migrate.
---
Group by *Added*, *Changed*, *Fixed*.

Breaking changes
================

State them first.
"""

CHINESE = """---
name: 发票整理
description: 按公司和日期整理发票，核对金额，并生成报销单。
license: MIT
---
# 发票整理

## 核对金额
逐张核对税额与合计。
"""

ODD = """---
name: Meeting Minutes
description: Use this when: the user pastes a transcript, and wants minutes "by topic"
version: 2
tags: [meetings, summaries]
---
# Meeting minutes
"""

#: By the name that each gives itself.
SAMPLES: Mapping[str, str] = {
    "Customer Return Processing": RETURNS,
    "pdf-forms": PDF_FORMS,
    "release-notes": RELEASE_NOTES,
    "发票整理": CHINESE,
    "Meeting Minutes": ODD,
}


def skill_zip(files: Mapping[str, bytes | str], *, folder: str = "") -> bytes:
    """A ZIP of these files, inside a folder where one is named."""
    top = f"{folder}/" if folder else ""
    data = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    return pack([Entry(name=f"{top}{path}", data=one) for path, one in data.items()])


def manifest(name: str = "my-skill", description: str = "What it does.", **fields: str) -> str:
    """The text of a SKILL.md."""
    lines = [f"{field}: {value}" for field, value in {"name": name, "description": description, **fields}.items()]
    return "\n".join(["---", *lines, "---", "# Steps", ""])
