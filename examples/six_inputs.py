"""One request with every kind of input, and an outcome for each part of it.

    python examples/six_inputs.py [STORE]

Runs offline, with no key. Everything is made here: a picture, a document, a tool call with its result, a correction, a
skill, and bytes under a key; one part is broken on purpose, and takes none of the others with it.
"""

from __future__ import annotations

import io
import sys
import tempfile
import zipfile

from PIL import Image, ImageDraw

from memplug import Memory, Source

HANDBOOK = """# Returns

Customers may return goods within **30 days**.

## Refunds

Refunds take ten working days. The purchase limit for office software is 800 yuan.
"""
SKILL = """---
name: customer-returns
description: How to handle a customer's return, from the request to the refund.
---

# Customer returns

1. Look up the order. 2. Check the date. 3. See references/letters.md for what to write.
"""


def picture() -> bytes:
    """A receipt, drawn."""
    image = Image.new("RGB", (240, 80), "white")
    ImageDraw.Draw(image).text((10, 30), "Restaurant Li  total 128 yuan", fill="black")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def skill() -> bytes:
    """A skill as a ZIP."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("SKILL.md", SKILL)
        archive.writestr("references/letters.md", "Dear customer, your refund is on its way.")
    return buffer.getvalue()


CALL = {"id": "call_1", "type": "function", "function": {"name": "get_order", "arguments": '{"order_id": "A-17"}'}}
REQUEST = [
    {
        "role": "user",
        "name": "Wang",
        "content": [
            {"type": "text", "text": "This is what dinner with Li did cost."},
            Source(data=picture(), name="receipt.png"),
        ],
    },
    Source(data=HANDBOOK.encode(), name="handbook.md"),
    {"role": "assistant", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": '{"status": "shipped"}'},
    Source(data=skill(), name="returns.zip"),
    Source(data=b"\x89PNG broken", name="broken.png"),
    {"type": "feedback", "text": "The purchase limit for office software is 600 yuan, not 800 yuan."},
]


def main(store: str) -> None:
    """Hands everything in, then asks for it."""
    with Memory(store) as memory:
        wang = memory.scoped(user_id="wang")
        result = wang.add(REQUEST)
        blob = wang.add(b"\x00\x01 any bytes", kind="blob", key="project/firmware.bin")
        for outcome in (*result.outcomes, *blob.outcomes):
            words = outcome.error.message if outcome.error else " ".join(outcome.text.split()) or str(outcome.key)
            print(f"{outcome.part}  {outcome.event:<9} {outcome.kind or '-':<9}  {words[:70]}")
        for question in (
            "what did dinner cost?",
            "how long do refunds take?",
            "what is the purchase limit for office software?",
            "how do I look up an order?",
            "how to handle a return",
        ):
            hit = wang.search(question, top_k=1)[0]
            print(
                f"\n{question}\n  {' '.join(hit.text.split())[:90]}" + (f"  [{hit.citation}]" if hit.citation else "")
            )
        print("\n" + wang.skill("customer-returns").read("references/letters.md").decode())


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
